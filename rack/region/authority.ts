import { createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import type { RegionHost } from './address.ts';

export type Authority = { ok: true /** PEM */; ca: string } | { ok: false; message: string };

const DEADLINE_MS = 10_000;
/** Certificate of the server, of its CA, and some to spare. */
const LONGEST_CHAIN = 8;

function* chainOf(first: DetailedPeerCertificate): Generator<Buffer> {
  let at: DetailedPeerCertificate | undefined = first;
  for (let i = 0; i < LONGEST_CHAIN && at?.raw; i += 1) {
    yield at.raw;
    // A self-signed certificate is its own issuer.
    if (at.issuerCertificate === at) return;
    at = at.issuerCertificate;
  }
}

/**
 * Takes the region's CA out of a TLS handshake: only the certificate whose DER has the SHA-256 `fingerprint` (hex) that a
 * person carried here. Nothing is sent over this connection, and that it ended at the region is not yet known: whoever
 * uses it next must have a certificate that this CA signed.
 */
export function fetchAuthority(region: RegionHost, fingerprint: string): Promise<Authority> {
  return new Promise((resolve) => {
    const servername = isIP(region.host) === 0 ? region.host : '';
    // Unverified on purpose, see above.
    const socket = connect({ host: region.host, port: region.port, servername, rejectUnauthorized: false });
    const end = (result: Authority) => {
      clearTimeout(limit);
      socket.destroy();
      resolve(result);
    };
    const away = (why: string) => end({ ok: false, message: `the region could not be reached: ${why}` });
    const limit = setTimeout(() => away(`no answer in ${DEADLINE_MS} ms`), DEADLINE_MS);
    socket.once('error', (error) => away(error.message));
    socket.once('secureConnect', () => {
      for (const der of chainOf(socket.getPeerCertificate(true))) {
        if (createHash('sha256').update(der).digest('hex') !== fingerprint) continue;
        return end({ ok: true, ca: new X509Certificate(der).toString() });
      }
      return end({
        ok: false,
        message: 'whoever answers there is not the region that made the token: its CA has another fingerprint',
      });
    });
  });
}
