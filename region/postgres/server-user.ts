import { readFile } from 'node:fs/promises';

/** Identity the server runs as. Null: as the present process. */
export interface ServerUser {
  name: string;
  uid: number;
  gid: number;
}

/**
 * PostgreSQL refuses to run as root, so root drops to `ingot`, else to `postgres`. Anybody else stays who they are (null).
 */
export async function serverUser(): Promise<ServerUser | null> {
  if (process.getuid?.() !== 0) return null;
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const wanted of ['ingot', 'postgres']) {
    const account = accounts.find(([name]) => name === wanted);
    const uid = Number(account?.[2]);
    const gid = Number(account?.[3]);
    if (account && uid > 0 && gid > 0) return { name: wanted, uid, gid };
  }
  throw new Error(
    'PostgreSQL does not run as root and there is neither a user "ingot" nor "postgres": adduser --system --group ingot',
  );
}
