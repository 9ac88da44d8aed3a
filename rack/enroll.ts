import { join } from 'node:path';
import { EnrollmentToken, type EnrollRequest } from '@ingot/contract/rack.ts';
import { loadIdentity } from './identity/identity.ts';
import { parseRegionUrl } from './region/address.ts';
import { fetchAuthority } from './region/authority.ts';
import { rememberRegion } from './region/remembered.ts';
import { openTransport, trustProblem } from './region/transport.ts';

export type Enrolled = { ok: true; rack: string } | { ok: false; message: string };

const DEADLINE_MS = 15_000;
const ANSWER_BYTES = 16_384;

/**
 * Makes this rack known to a region with a one-time token, and the region known to this rack. `url` is what
 * `ingot rack token` printed, https://HOST:PORT. Nothing is sent before the region has shown a certificate of the CA whose
 * fingerprint the token carries. May be repeated.
 */
export async function enroll(stateDir: string, name: string, url: string, token: string): Promise<Enrolled> {
  const host = parseRegionUrl(url);
  if (host === null) return { ok: false, message: `the region is named as https://HOST:PORT, not ${url}` };
  if (!EnrollmentToken.safeParse(token).success) {
    return { ok: false, message: 'this is no token of `ingot rack token`: copy the whole line that it prints' };
  }
  const [secret = '', fingerprint = ''] = token.split('.');
  const authority = await fetchAuthority(host, fingerprint);
  if (!authority.ok) return authority;
  const { ca } = authority;
  const identity = await loadIdentity(join(stateDir, 'rack', 'identity'));
  const body: EnrollRequest = { token: secret, rack: identity.rack, name, publicKey: identity.publicKey };
  const answer = await post({ kind: 'tls', ...host, ca }, JSON.stringify(body)).catch((error: unknown) => {
    const distrust = trustProblem(error);
    if (distrust !== null) return `the region was not told anything: ${distrust}`;
    return `the region did not answer: ${error instanceof Error ? error.message : error}; run this again`;
  });
  if (typeof answer === 'string') return { ok: false, message: answer };
  if (answer.status !== 204) return { ok: false, message: `the region refused: ${answer.status} ${answer.text}` };
  await rememberRegion(stateDir, host, ca);
  return { ok: true, rack: identity.rack };
}

async function post(
  region: Parameters<typeof openTransport>[0],
  body: string,
): Promise<{ status: number; text: string }> {
  const transport = openTransport(region);
  try {
    return await new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const signal = AbortSignal.timeout(DEADLINE_MS);
      const outgoing = transport.request({ path: '/rack/v1/enroll', method: 'POST', headers, signal }, (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text = `${text}${chunk}`.slice(0, ANSWER_BYTES);
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text })).on('error', reject);
      });
      outgoing.on('error', reject).end(body);
    });
  } finally {
    transport.close();
  }
}
