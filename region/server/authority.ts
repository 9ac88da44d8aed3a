import { execFile } from 'node:child_process';
import { createHash, createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const OPENSSL_MS = 20_000;
const DAY_MS = 24 * 3600 * 1000;
const CA_DAYS = 3650;
const SERVER_DAYS = 825;
const RENEW_BEFORE_MS = 30 * DAY_MS;

/** What the listener for racks shows: PEM. `cert` is the server's certificate with the CA's behind it. */
export interface ServerTls {
  key: string;
  cert: string;
  /** SHA-256 of the CA's DER, lower-case hex: what an enrolment token carries. */
  fingerprint: string;
  notAfter: Date;
}

interface Pair {
  key: string;
  pem: string;
  parsed: X509Certificate;
}

/** What makes the state directory unusable for TLS, said so that a person can do something about it. */
class AuthorityError extends Error {}

async function readPair(dir: string, name: string): Promise<Pair | null> {
  const read = (file: string) =>
    readFile(path.join(dir, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
  const [pem, key] = [await read(`${name}.pem`), await read(`${name}-key.pem`)];
  // The certificate is put in place last: a key alone is what a crash in between left.
  if (pem === null) return null;
  const damaged = (why: string) =>
    new AuthorityError(`${path.join(dir, `${name}.pem`)}: ${why}; put the files back from a backup`);
  if (key === null) throw damaged('its key is missing');
  let parsed: X509Certificate;
  let belongs: boolean;
  try {
    parsed = new X509Certificate(pem);
    belongs = parsed.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw damaged(error instanceof Error ? error.message : String(error));
  }
  if (!belongs) throw damaged('its key does not belong to it');
  return { key, pem, parsed };
}

async function openssl(argv: string[], cwd: string): Promise<void> {
  try {
    await run('openssl', argv, { cwd, timeout: OPENSSL_MS });
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const why = missing
      ? 'openssl is not installed: apt-get install openssl'
      : error instanceof Error
        ? error.message
        : error;
    throw new AuthorityError(`certificates for racks cannot be made: ${why}`);
  }
}

/** Makes key.pem and cert.pem in a directory of its own, then puts both in place, the certificate last. */
async function make(dir: string, name: string, work: (inside: string) => Promise<void>): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const inside = await mkdtemp(path.join(dir, 'new-'));
  try {
    await work(inside);
    const [key, cert] = [path.join(inside, 'key.pem'), path.join(inside, 'cert.pem')];
    await chmod(key, 0o600);
    await chmod(cert, 0o600);
    await rename(key, path.join(dir, `${name}-key.pem`));
    await rename(cert, path.join(dir, `${name}.pem`));
  } finally {
    await rm(inside, { recursive: true, force: true });
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem'];

/** Configurations of our own, since the host's openssl.cnf may add anything. */
const CA_CONFIG = `[req]
distinguished_name = dn
x509_extensions = ca
prompt = no
[dn]
CN = Ingot region
[ca]
basicConstraints = critical, CA:TRUE, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
`;

function serverConfig(names: readonly string[]): string {
  const alternatives = names.map((name) => `${isIP(name) ? 'IP' : 'DNS'}:${name}`).join(', ');
  return `[req]
distinguished_name = dn
prompt = no
[dn]
CN = Ingot region, for racks
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = ${alternatives}
`;
}

async function makeAuthority(dir: string): Promise<void> {
  await make(dir, 'ca', async (inside) => {
    await writeFile(path.join(inside, 'config'), CA_CONFIG);
    const made = ['req', '-x509', '-config', 'config', ...NEW_KEY, '-days', String(CA_DAYS), '-out', 'cert.pem'];
    await openssl([...made, '-sha256'], inside);
  });
}

async function makeServer(dir: string, names: readonly string[]): Promise<void> {
  await make(dir, 'server', async (inside) => {
    await writeFile(path.join(inside, 'config'), serverConfig(names));
    await openssl(['req', '-new', '-config', 'config', ...NEW_KEY, '-out', 'request.pem'], inside);
    const serial = `0x${randomBytes(15).toString('hex')}`;
    const signed = ['-CA', path.join(dir, 'ca.pem'), '-CAkey', path.join(dir, 'ca-key.pem'), '-set_serial', serial];
    const what = ['-extfile', 'config', '-extensions', 'server', '-days', String(SERVER_DAYS), '-sha256'];
    await openssl(['x509', '-req', '-in', 'request.pem', ...signed, ...what, '-out', 'cert.pem'], inside);
  });
}

function isGood(server: Pair, ca: Pair, names: readonly string[], now: number): boolean {
  const { parsed } = server;
  if (Date.parse(parsed.validTo) - now < RENEW_BEFORE_MS || !parsed.verify(ca.parsed.publicKey)) return false;
  return names.every((name) => (isIP(name) ? parsed.checkIP(name) : parsed.checkHost(name)) !== undefined);
}

/**
 * The region's own CA and the certificate that racks see, in `dir` (DIR/tls, files of mode 0600): made when missing. The
 * CA stays for ten years, since racks know it by its fingerprint; the server's certificate is made anew when less than
 * 30 days are left or when it lacks one of `names` (addresses or host names). Throws with what to do when openssl is
 * missing or a file of the CA is damaged, for a new CA would lock every enrolled rack out.
 */
export async function loadServerTls(dir: string, names: readonly string[], now: number): Promise<ServerTls> {
  // Paths that openssl is given must not depend on its working directory.
  const home = path.resolve(dir);
  let ca = await readPair(home, 'ca');
  if (!ca) {
    await makeAuthority(home);
    ca = await readPair(home, 'ca');
  }
  if (!ca) throw new AuthorityError(`openssl left no certificate in ${home}`);
  // Nobody pins the server's own pair: whatever is wrong with it, a new one is as good.
  const existing = await readPair(home, 'server').catch((error: unknown) => {
    if (error instanceof AuthorityError) return null;
    throw error;
  });
  let server = existing && isGood(existing, ca, names, now) ? existing : null;
  if (!server) {
    await makeServer(home, names);
    server = await readPair(home, 'server');
  }
  if (!server) throw new AuthorityError(`openssl left no certificate in ${home}`);
  return {
    key: server.key,
    cert: `${server.pem.trimEnd()}\n${ca.pem}`,
    fingerprint: createHash('sha256').update(ca.parsed.raw).digest('hex'),
    notAfter: new Date(server.parsed.validTo),
  };
}
