import { execFile } from 'node:child_process';
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Certificate {
  key: string;
  cert: string;
  /** SHA-256 of the DER, hex: what `ingot.pin` on the kernel command line says. */
  pin: string;
}

const REPLACE_BEFORE_MS = 90 * 24 * 3600 * 1000;

/**
 * DIR/rack/tls/{key,cert}.pem, made once by openssl. Agents trust it by its pin alone, so names and issuer do not matter;
 * replaced when it is about to expire (each boot script carries the pin of its time).
 */
export async function loadCertificate(dir: string, now: number): Promise<Certificate> {
  const existing = await readCertificate(dir);
  if (existing && Date.parse(new X509Certificate(existing.cert).validTo) - now > REPLACE_BEFORE_MS) return existing;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  const made = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 -subj /CN=ingot-rack';
  await run('openssl', ['req', ...made.split(' '), '-keyout', `${key}.new`, '-out', `${cert}.new`], {
    timeout: 20_000,
  });
  await rename(`${key}.new`, key);
  await rename(`${cert}.new`, cert);
  const fresh = await readCertificate(dir);
  if (!fresh) throw new Error(`openssl left no usable certificate in ${dir}`);
  return fresh;
}

async function readCertificate(dir: string): Promise<Certificate | null> {
  try {
    const key = await readFile(join(dir, 'key.pem'), 'utf8');
    const cert = await readFile(join(dir, 'cert.pem'), 'utf8');
    const parsed = new X509Certificate(cert);
    // A crash between the two renames leaves a pair that does not belong together.
    if (!parsed.checkPrivateKey(createPrivateKey(key))) return null;
    return { key, cert, pin: createHash('sha256').update(parsed.raw).digest('hex') };
  } catch {
    return null;
  }
}
