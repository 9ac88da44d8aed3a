import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Who this rack is: an Ed25519 key made once; its id follows from the key. */
export interface Identity {
  /** 12 hex digits of the SHA-256 of the public key. */
  rack: string;
  /** base64 of the SPKI DER. */
  publicKey: string;
  sign(data: string | Buffer): Buffer;
}

/** Reads DIR/rack/identity (PKCS #8 PEM, mode 0600), or makes it. */
export async function loadIdentity(file: string): Promise<Identity> {
  const existing = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (existing !== null) {
    await chmod(file, 0o600);
    return identityOf(createPrivateKey(existing));
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.new`, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  await rename(`${file}.new`, file);
  return identityOf(privateKey);
}

export function identityOf(privateKey: KeyObject): Identity {
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return {
    rack: createHash('sha256').update(spki).digest('hex').slice(0, 12),
    publicKey: spki.toString('base64'),
    sign: (data) => sign(null, typeof data === 'string' ? Buffer.from(data) : data, privateKey),
  };
}
