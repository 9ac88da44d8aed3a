import { execFile } from 'node:child_process';
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createUser } from '../accounts/users.ts';
import { findPostgres } from '../postgres/binaries.ts';
import { sealedIdentity } from '../store/sealed-identity.ts';
import { MIGRATIONS, silentLog } from '../testing/cluster.ts';
import { closeState, openState } from './open-state.ts';
import { RestoreRefused, restoreDump } from './restore.ts';

const run = promisify(execFile);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'ingot-restore-'));
  // PostgreSQL's user has to come through.
  await chmod(folder, 0o755);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const optionsOf = (name: string) => ({
  stateDir: path.join(folder, name),
  databaseUrl: null,
  migrations: MIGRATIONS,
  migrateOwn: true,
  name: 'test',
  log: silentLog,
});

test('what was backed up as the manual says is there again, secrets too; a directory in use is left alone', {
  timeout: 120_000,
}, async () => {
  const dump = path.join(folder, 'ingot.dump');
  const old = await openState(optionsOf('old'));
  try {
    await createUser(old, { username: 'ada', password: 'long-enough', isAdmin: true });
    const secret = old.sealer.seal(Buffer.from('hidden'), sealedIdentity.apiToken('key'));
    await old.db
      .insertInto('api_tokens')
      .values({ user_id: 1, name: 'x', consumer_key: 'c', token_key: 'key', token_secret: secret })
      .execute();
    const { postgres } = await findPostgres(null);
    await run(path.join(path.dirname(postgres), 'pg_dump'), [
      `--host=${path.join(folder, 'old/run/pg')}`,
      ...['--username=ingot', '--format=custom', `--file=${dump}`, 'ingot'],
    ]);
    await expect(restoreDump(old, dump, optionsOf('old'))).rejects.toThrow(RestoreRefused);
  } finally {
    await closeState(old, 'guest');
  }
  await cp(path.join(folder, 'old/key'), path.join(folder, 'new/key'), { recursive: true });
  const fresh = await openState(optionsOf('new'));
  try {
    await expect(restoreDump(fresh, `${dump}.not`, optionsOf('new'))).rejects.toThrow(/cannot be read/);
    await expect(restoreDump(fresh, path.join(folder, 'new/key'), optionsOf('new'))).rejects.toThrow(
      /nothing was restored/,
    );
    await restoreDump(fresh, dump, optionsOf('new'));
    const users = await fresh.db.selectFrom('users').select('username').where('is_system', '=', false).execute();
    expect(users).toEqual([{ username: 'ada' }]);
    const token = await fresh.db
      .selectFrom('api_tokens')
      .select('token_secret')
      .where('token_key', '=', 'key')
      .executeTakeFirstOrThrow();
    expect(fresh.sealer.open(token.token_secret, sealedIdentity.apiToken('key')).toString()).toBe('hidden');
  } finally {
    await closeState(fresh, 'guest');
  }
});
