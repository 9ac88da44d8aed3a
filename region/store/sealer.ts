import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Sealer } from '../deps.ts';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** First byte of every sealed value, so that another cipher can be told apart one day. */
const VERSION = 1;

/** Sealed value: version (1 byte), nonce (12), tag (16), ciphertext. */
export function createSealer(key: Buffer): Sealer {
  if (key.length !== KEY_BYTES) throw new Error(`the key must have ${KEY_BYTES} bytes, it has ${key.length}`);
  return {
    seal(plain, identity) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(identity));
      const body = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([Buffer.from([VERSION]), nonce, cipher.getAuthTag(), body]);
    },
    open(sealed, identity) {
      const header = 1 + NONCE_BYTES + TAG_BYTES;
      if (sealed.length < header || sealed[0] !== VERSION)
        throw new Error(`sealed value of ${identity} is not one of ours`);
      const nonce = sealed.subarray(1, 1 + NONCE_BYTES);
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(identity)).setAuthTag(sealed.subarray(1 + NONCE_BYTES, header));
      return Buffer.concat([decipher.update(sealed.subarray(header)), decipher.final()]);
    },
  };
}

/**
 * Reads DIR/key, or makes it (0600, 32 random bytes in hex) when `create` is set. Without it, secrets of an existing
 * database cannot be read, so a missing key is an error by default.
 */
export async function loadKey(stateDir: string, options: { create: boolean }): Promise<Buffer> {
  const file = path.join(stateDir, 'key');
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) {
    if (!options.create)
      throw new Error(`${file} is missing: put back the key that this database's secrets were sealed with`);
    const key = randomBytes(KEY_BYTES);
    const handle = await open(file, 'wx', 0o600);
    await handle.writeFile(`${key.toString('hex')}\n`);
    await handle.sync();
    await handle.close();
    return key;
  }
  const { mode } = await stat(file);
  if ((mode & 0o077) !== 0) throw new Error(`${file} can be read by others: chmod 600 ${file}`);
  const key = Buffer.from(text.trim(), 'hex');
  if (key.length !== KEY_BYTES) throw new Error(`${file} does not hold ${KEY_BYTES} bytes in hex`);
  return key;
}
