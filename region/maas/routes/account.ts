import { type ApiToken, createToken, deleteToken, formatToken, listTokens } from '../../accounts/api-tokens.ts';
import { addSshKey, deleteSshKey, listSshKeys, type SshKey } from '../../accounts/ssh-keys.ts';
import { findUser } from '../../accounts/users.ts';
import { API_PREFIX } from '../describe.ts';
import { crud, EMPTY, json, named, parameter, type Reply, type Resource, text, type UserCall } from '../table.ts';
import { forbidden, invalidField, missingParameter, noMatch, PERMISSION_DENIED, REQUIRED } from '../wire/errors.ts';
import type { Json } from '../wire/json.ts';
import { textOf } from '../wire/values.ts';

/** Token as create and `accounts/authenticate/` answer it. */
export const tokenObject = (token: ApiToken): Json => ({
  token_key: token.tokenKey,
  token_secret: token.tokenSecret,
  consumer_key: token.consumerKey,
  name: token.name,
});

const keyObject = (key: SshKey): Json => ({
  id: key.id,
  key: key.key,
  keysource: key.keysource,
  resource_uri: `${API_PREFIX}account/prefs/sshkeys/${key.id}/`,
});

async function removeToken(call: UserCall): Promise<Reply> {
  const key = textOf(call.values, 'token_key');
  if (key === undefined) throw missingParameter('token_key');
  if (!(await deleteToken(call.deps, call.user.id, key))) throw noMatch('Token');
  return EMPTY;
}

/** `token` may be the whole key or its middle part. */
async function renameToken(call: UserCall): Promise<Reply> {
  const token = textOf(call.values, 'token');
  if (token === undefined) throw missingParameter('token');
  const name = textOf(call.values, 'name');
  if (name === undefined) throw missingParameter('name');
  const tokenKey = token.split(':')[1] ?? token;
  const changed = await call.deps.db
    .updateTable('api_tokens')
    .set({ name })
    .where('user_id', '=', call.user.id)
    .where('token_key', '=', tokenKey)
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) throw noMatch('Token');
  return text('Accepted', 202);
}

async function createKey(call: UserCall): Promise<Reply> {
  const key = textOf(call.values, 'key');
  if (key === undefined) throw invalidField('key', REQUIRED);
  const username = textOf(call.values, 'user');
  let userId = call.user.id;
  if (username !== undefined && username !== call.user.name) {
    if (!call.user.admin) throw forbidden(PERMISSION_DENIED);
    const user = await findUser(call.deps, username);
    if (user === null) throw invalidField('user', `User '${username}' does not exist.`);
    userId = user.id;
  }
  return json(keyObject(await addSshKey(call.deps, userId, key)), 201);
}

/** Any user may read any key: public keys are public (as upstream). */
async function keyOf(call: UserCall): Promise<SshKey & { user_id: number }> {
  const id = Number(call.path.id);
  const key = Number.isSafeInteger(id)
    ? await call.deps.db
        .selectFrom('ssh_keys')
        .select(['id', 'key', 'keysource', 'user_id'])
        .where('id', '=', id)
        .executeTakeFirst()
    : undefined;
  if (key === undefined) throw noMatch('SSHKey');
  return key;
}

async function removeKey(call: UserCall): Promise<Reply> {
  const key = await keyOf(call);
  if (!(await deleteSshKey(call.deps, call.user.id, key.id))) throw forbidden("Can't delete a key you don't own.");
  return EMPTY;
}

export const accountRoutes: readonly Resource[] = [
  {
    paths: ['account/'],
    anon: null,
    auth: {
      name: 'AccountHandler',
      doc: "The caller's own account.",
      operations: [
        named(
          'POST',
          'create_authorisation_token',
          'user',
          { title: 'Create an API key', parameters: [parameter('name', 'What the key is for.')] },
          async (call) => json(tokenObject(await createToken(call.deps, call.user.id, textOf(call.values, 'name')))),
        ),
        named(
          'POST',
          'delete_authorisation_token',
          'user',
          {
            title: 'Delete an API key',
            parameters: [parameter('token_key', 'The middle part of the key.', 'String', true)],
          },
          removeToken,
        ),
        named('GET', 'list_authorisation_tokens', 'user', { title: 'List API keys' }, async (call) =>
          json(
            (await listTokens(call.deps, call.user.id)).map((token) => ({
              name: token.name,
              token: formatToken(token),
            })),
          ),
        ),
        named(
          'POST',
          'update_token_name',
          'user',
          {
            title: 'Rename an API key',
            parameters: [
              parameter('token', 'The key, or its middle part.', 'String', true),
              parameter('name', 'The new name.', 'String', true),
            ],
          },
          renameToken,
        ),
      ],
    },
  },
  {
    paths: ['account/prefs/sshkeys/'],
    anon: null,
    auth: {
      name: 'SSHKeysHandler',
      doc: "The caller's SSH keys.",
      operations: [
        crud('GET', 'user', { title: 'List own SSH keys' }, async (call) =>
          json((await listSshKeys(call.deps, call.user.id)).map(keyObject)),
        ),
        crud(
          'POST',
          'user',
          {
            title: 'Add an SSH key',
            parameters: [
              parameter('key', 'One public key line.', 'String', true),
              parameter('user', 'Account to add it to; administrators only.'),
            ],
          },
          createKey,
        ),
      ],
    },
  },
  {
    paths: ['account/prefs/sshkeys/{id}/'],
    anon: null,
    auth: {
      name: 'SSHKeyHandler',
      doc: 'One SSH key.',
      operations: [
        crud('GET', 'user', { title: 'Read an SSH key' }, async (call) => json(keyObject(await keyOf(call)))),
        crud('DELETE', 'user', { title: 'Delete an SSH key' }, removeKey),
      ],
    },
  },
];
