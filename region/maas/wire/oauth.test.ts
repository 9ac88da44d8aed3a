import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MaasError } from './errors.ts';
import { findOauth, type OauthParameters, parseHeader, type SignedRequest, signatureMatches } from './oauth.ts';
import { NO_VALUES, parseUrlEncoded } from './values.ts';

function found(header: string): OauthParameters {
  const oauth = findOauth(header, NO_VALUES, NO_VALUES);
  if (oauth === null) throw new Error('no OAuth parameters found');
  return oauth;
}

const request = (over: Partial<SignedRequest> = {}): SignedRequest => ({
  method: 'POST',
  url: 'http://maas.example:5240/MAAS/api/2.0/machines/',
  query: NO_VALUES,
  body: NO_VALUES,
  bodyIsUrlEncoded: false,
  ...over,
});

describe('PLAINTEXT headers as clients write them', () => {
  const forms = {
    'Go (realm, quoted)':
      'OAuth realm="MAAS+API", oauth_consumer_key="CK", oauth_nonce="1", oauth_signature="%26TS", oauth_signature_method="PLAINTEXT", oauth_timestamp="1764850000", oauth_token="TK"',
    'curl recipe (bare values, raw ampersand)':
      'OAuth oauth_version=1.0, oauth_signature_method=PLAINTEXT, oauth_consumer_key=CK, oauth_token=TK, oauth_signature=&TS, oauth_nonce=7bb, oauth_timestamp=1764850000',
    'python (empty realm)':
      'OAuth realm="", oauth_token="TK", oauth_consumer_key="CK", oauth_signature_method="PLAINTEXT", oauth_nonce="18446744073709551615", oauth_version="1.0", oauth_timestamp="1764850000", oauth_signature="%26TS"',
  };
  test.each(Object.entries(forms))('%s', (_name, header) => {
    const oauth = found(header);
    expect([oauth.consumerKey, oauth.tokenKey, oauth.timestamp]).toEqual(['CK', 'TK', 1764850000]);
    expect(signatureMatches(oauth, 'TS', request())).toBe(true);
    expect(signatureMatches(oauth, 'other', request())).toBe(false);
  });

  test('query and form body may carry the set instead', () => {
    const values = parseUrlEncoded(
      'oauth_consumer_key=CK&oauth_token=TK&oauth_signature=%26TS&oauth_signature_method=PLAINTEXT&oauth_timestamp=5&oauth_nonce=n',
    );
    expect(findOauth(undefined, values, NO_VALUES)?.tokenKey).toBe('TK');
    expect(findOauth(undefined, NO_VALUES, values)?.tokenKey).toBe('TK');
  });

  test('an incomplete set counts as none; other schemes too', () => {
    expect(findOauth('OAuth oauth_consumer_key="CK", oauth_token="TK"', NO_VALUES, NO_VALUES)).toBeNull();
    expect(parseHeader('Bearer abc')).toBeNull();
  });

  test('a timestamp that is no number is 400, a wrong version or method 401', () => {
    const header = (extra: string): string =>
      `OAuth oauth_consumer_key="CK", oauth_token="TK", oauth_signature="s", oauth_nonce="n", ${extra}`;
    expect(statusOf(header('oauth_signature_method="PLAINTEXT", oauth_timestamp="x"'))).toBe(400);
    expect(statusOf(header('oauth_signature_method="PLAINTEXT", oauth_timestamp="1", oauth_version="2.0"'))).toBe(401);
    expect(statusOf(header('oauth_signature_method="RSA-SHA1", oauth_timestamp="1"'))).toBe(401);
  });
});

function statusOf(header: string): number {
  try {
    found(header);
    return 200;
  } catch (error) {
    if (error instanceof MaasError) return error.status;
    throw error;
  }
}

describe('HMAC-SHA1', () => {
  // RFC 5849 §3.4.1.1, written out by hand so that the code under test does not judge itself.
  test('the base string of RFC 5849 §3.4.1 rules: sorted parameters, no query in the URL', () => {
    const base =
      'GET&http%3A%2F%2Fmaas.example%3A5240%2FMAAS%2Fapi%2F2.0%2Fmachines%2F&hostname%3Da%2520b%26oauth_consumer_key%3DCK' +
      '%26oauth_nonce%3Dn%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D5%26oauth_token%3DTK%26oauth_version%3D1.0';
    const signature = createHmac('sha1', '&TS').update(base).digest('base64');
    const oauth = found(
      `OAuth oauth_consumer_key="CK", oauth_nonce="n", oauth_signature="${encodeURIComponent(signature)}", oauth_signature_method="HMAC-SHA1", oauth_timestamp="5", oauth_token="TK", oauth_version="1.0"`,
    );
    const signed = request({ method: 'GET', query: parseUrlEncoded('hostname=a+b') });
    expect(signatureMatches(oauth, 'TS', signed)).toBe(true);
    expect(signatureMatches(oauth, 'TS', { ...signed, query: parseUrlEncoded('hostname=c') })).toBe(false);
    expect(signatureMatches(oauth, 'TX', signed)).toBe(false);
  });

  test('a form body joins in on POST; a client that signs one value per key and one that leaves a PUT body out', () => {
    const sign = (parameters: string, method: string): OauthParameters => {
      const base = `${method}&http%3A%2F%2Fmaas.example%3A5240%2FMAAS%2Fapi%2F2.0%2Fmachines%2F&${encodeURIComponent(parameters)}`;
      const signature = createHmac('sha1', '&TS').update(base).digest('base64');
      return found(
        `OAuth oauth_consumer_key="CK", oauth_nonce="n", oauth_signature="${encodeURIComponent(signature)}", oauth_signature_method="HMAC-SHA1", oauth_timestamp="5", oauth_token="TK"`,
      );
    };
    const own = 'oauth_consumer_key=CK&oauth_nonce=n&oauth_signature_method=HMAC-SHA1&oauth_timestamp=5&oauth_token=TK';
    const body = parseUrlEncoded('op=allocate&tags=b&tags=a');
    const signed = request({ body, bodyIsUrlEncoded: true });
    expect(signatureMatches(sign(`${own}&op=allocate&tags=a&tags=b`, 'POST'), 'TS', signed)).toBe(true);
    expect(signatureMatches(sign(`${own}&op=allocate&tags=b`, 'POST'), 'TS', signed)).toBe(true);
    expect(signatureMatches(sign(own, 'PUT'), 'TS', { ...signed, method: 'PUT' })).toBe(true);
    expect(signatureMatches(sign(`${own}&op=release`, 'POST'), 'TS', signed)).toBe(false);
  });
});
