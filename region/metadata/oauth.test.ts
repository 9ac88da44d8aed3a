import { describe, expect, it } from 'vitest';
import { isSignedWith, parseOauthHeader } from './oauth.ts';

describe('OAuth header of a machine', () => {
  // As python3-oauthlib writes it for cloud-init.
  const cloudInit =
    'OAuth oauth_nonce="66161", oauth_timestamp="1764850000", oauth_version="1.0", oauth_signature_method="PLAINTEXT", oauth_consumer_key="CK", oauth_token="TK", oauth_signature="%26TS"';

  it.each([
    ['cloud-init', cloudInit],
    [
      'no blanks, another order',
      'OAuth oauth_signature=%26TS,oauth_token=TK,oauth_consumer_key=CK,oauth_nonce=66161,oauth_timestamp=1764850000',
    ],
    [
      'raw ampersand and realm',
      'OAuth realm="", oauth_consumer_key="CK", oauth_token="TK", oauth_signature="&TS", oauth_nonce="66161", oauth_timestamp="1764850000"',
    ],
  ])('%s', (_what, header) => {
    const oauth = parseOauthHeader(header);
    expect(oauth).toEqual({
      consumerKey: 'CK',
      tokenKey: 'TK',
      signature: '&TS',
      timestamp: 1764850000,
      nonce: '66161',
    });
    expect(oauth && isSignedWith(oauth, 'TS')).toBe(true);
    expect(oauth && isSignedWith(oauth, 'TT')).toBe(false);
    expect(oauth && isSignedWith(oauth, '')).toBe(false);
  });

  it('a consumer secret of the client’s own invention is no signature', () => {
    const oauth = parseOauthHeader(cloudInit.replace('%26TS', 'x%26TS'));
    expect(oauth && isSignedWith(oauth, 'TS')).toBe(false);
  });

  it.each([
    undefined,
    '',
    'Bearer abc',
    'OAuth oauth_token="TK"',
    cloudInit.replace('PLAINTEXT', 'HMAC-SHA1'),
    cloudInit.replace('"CK"', '"%00"'),
    cloudInit.replace('"TK"', '"T%00K"'),
    cloudInit.replace('66161', '66161%00'),
  ])('%s is none', (header) => {
    expect(parseOauthHeader(header)).toBeNull();
  });
});
