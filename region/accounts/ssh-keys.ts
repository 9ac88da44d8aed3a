import { createHash } from 'node:crypto';
import type { RegionDeps } from '../deps.ts';
import { sqlState, UNIQUE_VIOLATION } from '../store/pg-error.ts';
import { Problem } from '../store/problem.ts';

const TYPES = [
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
];

export interface ParsedSshKey {
  type: string;
  comment: string;
  /** As `ssh-keygen -l` shows it: "SHA256:" and base64 without padding. */
  fingerprint: string;
}

/**
 * Reads one public key line. Null unless it is a known type followed by base64 whose first string is that type (RFC 4253
 * §6.6), so that nothing else, options least of all, gets into authorized_keys.
 */
export function parseSshKey(text: string): ParsedSshKey | null {
  const line = text.trim();
  if (line.length > 16_384 || /[\r\n\0]/.test(line)) return null;
  const [type = '', body = '', ...comment] = line.split(/[ \t]+/);
  if (!TYPES.includes(type) || !/^[A-Za-z0-9+/]+={0,2}$/.test(body)) return null;
  const blob = Buffer.from(body, 'base64');
  if (blob.length < 4 + type.length + 4 || blob.readUInt32BE(0) !== type.length) return null;
  if (blob.subarray(4, 4 + type.length).toString('latin1') !== type) return null;
  const sum = createHash('sha256').update(blob).digest('base64').replace(/=+$/, '');
  return { type, comment: comment.join(' '), fingerprint: `SHA256:${sum}` };
}

export interface SshKey {
  id: number;
  key: string;
  keysource: string;
}

/** Throws Problem for a text that is no public key and for one the user already has. */
export async function addSshKey(deps: Pick<RegionDeps, 'db'>, userId: number, text: string): Promise<SshKey> {
  const key = text.trim();
  if (!parseSshKey(key)) {
    throw new Problem('ssh_key.invalid', {}, { field: 'key' });
  }
  try {
    return await deps.db
      .insertInto('ssh_keys')
      .values({ user_id: userId, key })
      .returning(['id', 'key', 'keysource'])
      .executeTakeFirstOrThrow();
  } catch (error) {
    if (sqlState(error) !== UNIQUE_VIOLATION) throw error;
    throw new Problem('ssh_key.exists', {}, { field: 'key' });
  }
}

export function listSshKeys(deps: Pick<RegionDeps, 'db'>, userId: number): Promise<SshKey[]> {
  const query = deps.db.selectFrom('ssh_keys').select(['id', 'key', 'keysource']).where('user_id', '=', userId);
  return query.orderBy('id').execute();
}

/** False when the user has no such key. */
export async function deleteSshKey(deps: Pick<RegionDeps, 'db'>, userId: number, id: number): Promise<boolean> {
  const gone = await deps.db
    .deleteFrom('ssh_keys')
    .where('id', '=', id)
    .where('user_id', '=', userId)
    .executeTakeFirst();
  return gone.numDeletedRows > 0n;
}
