import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TestAuthority {
  /** PEM */
  ca: string;
  /** SHA-256 of the CA's DER, hex. */
  fingerprint: string;
  /** A server's key and certificate (without its CA's) that this CA signed; `names` as in subjectAltName, `more` extensions a line each. */
  server(names: string, more?: string): { key: string; cert: string };
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** A CA as a region has one, in a directory of its own. */
export function testAuthority(dir: string): TestAuthority {
  mkdirSync(dir, { recursive: true });
  const openssl = (...argv: string[]) => execFileSync('openssl', argv, { cwd: dir, stdio: 'pipe', timeout: 20_000 });
  openssl(
    'req',
    '-x509',
    ...NEW_KEY,
    '-days',
    '30',
    '-subj',
    '/CN=Ingot region',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );
  const ca = readFileSync(join(dir, 'ca.pem'), 'utf8');
  return {
    ca,
    fingerprint: createHash('sha256').update(new X509Certificate(ca).raw).digest('hex'),
    server(names, more = '') {
      writeFileSync(join(dir, 'extensions'), `subjectAltName=${names}\n${more}\n`);
      openssl('req', '-new', ...NEW_KEY, '-subj', '/CN=server', '-keyout', 'server.key', '-out', 'server.csr');
      const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'extensions', '-days', '30'];
      openssl('x509', '-req', '-in', 'server.csr', ...signed, '-out', 'server.pem');
      return {
        key: readFileSync(join(dir, 'server.key'), 'utf8'),
        cert: readFileSync(join(dir, 'server.pem'), 'utf8'),
      };
    },
  };
}
