import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type TestRegion, testRegion } from '../testing/region.ts';
import { createToken, deleteToken, findToken, formatToken, listTokens, useNonce, userOfKey } from './api-tokens.ts';
import { createSession, endSession, sessionUser } from './sessions.ts';
import { addSshKey, deleteSshKey, listSshKeys, parseSshKey } from './ssh-keys.ts';
import { createUser, findUser, firstAdmin, setPassword, verifyLogin } from './users.ts';

let cluster: TestCluster;
let region: TestRegion;
beforeAll(async () => {
  cluster = await startTestCluster();
  region = await testRegion(cluster);
});
afterAll(async () => {
  await region.close();
  await cluster.close();
});

test('a user logs in with the password only, and a new password ends the sessions', async () => {
  const { deps } = region;
  const user = await createUser(deps, { username: 'eve', password: 'corréct', isAdmin: false });
  expect(await verifyLogin(deps, 'eve', 'corréct')).toEqual(user);
  expect(await verifyLogin(deps, 'eve', 'wrong')).toBeNull();
  expect(await verifyLogin(deps, 'nobody', 'corréct')).toBeNull();
  expect(await verifyLogin(deps, 'MAAS', '')).toBeNull();
  const session = await createSession(deps, user.id);
  expect(await sessionUser(deps, session.id)).toEqual(user);
  await setPassword(deps, user.id, 'other');
  expect(await sessionUser(deps, session.id)).toBeNull();
  const second = await createSession(deps, user.id);
  await endSession(deps, second.id);
  expect(await sessionUser(deps, second.id)).toBeNull();
  await expect(createUser(deps, { username: 'eve', password: 'x', isAdmin: true })).rejects.toMatchObject({
    code: 'user.exists',
  });
  expect(await findUser(deps, 'MAAS')).toBeNull();
  expect((await firstAdmin(deps))?.username).toBe('admin');
});

test('API keys: 18:18:32, found by their pair, stored sealed, gone when deleted; a nonce counts once', async () => {
  const { deps } = region;
  const { id } = await createUser(deps, { username: 'tom', password: 'x', isAdmin: true });
  expect(await listTokens(deps, id)).toHaveLength(1);
  const token = await createToken(deps, id, 'juju');
  expect(formatToken(token)).toMatch(/^\w{18}:\w{18}:\w{32}$/);
  expect(await findToken(deps, token.consumerKey, token.tokenKey)).toMatchObject({
    user: { username: 'tom', isAdmin: true },
    secret: token.tokenSecret,
  });
  expect(await userOfKey(deps, formatToken(token))).toMatchObject({ username: 'tom' });
  expect(await userOfKey(deps, `${token.consumerKey}:${token.tokenKey}:${'x'.repeat(32)}`)).toBeNull();
  const rows = await deps.db.selectFrom('api_tokens').select('token_secret').execute();
  expect(rows.some((row) => row.token_secret.includes(token.tokenSecret))).toBe(false);
  expect(await useNonce(deps, token.consumerKey, token.tokenKey, 'n1')).toBe(true);
  expect(await useNonce(deps, token.consumerKey, token.tokenKey, 'n1')).toBe(false);
  expect(await deleteToken(deps, id, token.tokenKey)).toBe(true);
  expect(await findToken(deps, token.consumerKey, token.tokenKey)).toBeNull();
});

/** An OpenSSH public key line made from a fresh Ed25519 key. */
function publicKeyLine(): string {
  const { publicKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const part = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return `ssh-ed25519 ${Buffer.concat([part(Buffer.from('ssh-ed25519')), part(raw)]).toString('base64')} me@host`;
}

test('SSH keys: only one whole public key, each once', async () => {
  const { deps, admin } = region;
  const line = publicKeyLine();
  expect(parseSshKey(line)).toMatchObject({ type: 'ssh-ed25519', comment: 'me@host' });
  const body = line.split(' ')[1];
  for (const wrong of [
    '',
    'ssh-ed25519',
    `command="x" ${line}`,
    `ssh-rsa ${body}`,
    `${line}\n${line}`,
    'ssh-ed25519 AAAA',
  ]) {
    expect(parseSshKey(wrong)).toBeNull();
  }
  const added = await addSshKey(deps, admin.id, `${line}\n`);
  await expect(addSshKey(deps, admin.id, line)).rejects.toMatchObject({ code: 'ssh_key.exists' });
  expect(await listSshKeys(deps, admin.id)).toEqual([added]);
  expect(await deleteSshKey(deps, admin.id, added.id)).toBe(true);
  expect(await deleteSshKey(deps, admin.id, added.id)).toBe(false);
});
