import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { findPostgres } from '../postgres/binaries.ts';
import { bringUp, type OpenState, type StateOptions } from './open-state.ts';

/** Nobody waits for a restore that goes wrong for longer. */
const LIMIT_MS = 60 * 60_000;
const LAST_WORDS = 4000;

/** What speaks against restoring here; what it says goes to whoever asked. */
export class RestoreRefused extends Error {}

/**
 * Puts a dump (pg_dump --format=custom) in the place of a new directory's empty database, all or nothing, and brings it to this
 * program's schema. Throws RestoreRefused where there is something that it would overwrite.
 */
export async function restoreDump(state: OpenState, file: string, options: StateOptions): Promise<void> {
  if (state.cluster === null) throw new RestoreRefused('into a PostgreSQL of your own restore with pg_restore itself');
  if (state.cluster.adopted) throw new RestoreRefused('an Ingot runs on this directory: end it first');
  await access(file, constants.R_OK).catch(() => {
    throw new RestoreRefused(`${file} cannot be read`);
  });
  const somebody = await state.db.selectFrom('users').select('id').where('is_system', '=', false).executeTakeFirst();
  if (somebody !== undefined) throw new RestoreRefused('this directory has a database in use: restore into a new one');
  const { socketDir, user, database } = state.cluster;
  const { postgres } = await findPostgres(null);
  await pgRestore(path.join(path.dirname(postgres), 'pg_restore'), [
    ...['--clean', '--if-exists', '--no-owner', '--single-transaction', '--exit-on-error'],
    ...[`--host=${socketDir}`, `--username=${user}`, `--dbname=${database}`, file],
  ]);
  await bringUp(state.cluster, options, true);
}

function pgRestore(program: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: LIMIT_MS });
    let said = '';
    child.stderr.on('data', (part: Buffer) => {
      said = (said + part.toString()).slice(-LAST_WORDS);
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve();
      else reject(new RestoreRefused(`nothing was restored: ${said.trim() || `pg_restore ended with ${code}`}`));
    });
  });
}
