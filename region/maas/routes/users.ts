import { addSshKey } from '../../accounts/ssh-keys.ts';
import { createUser } from '../../accounts/users.ts';
import { commit } from '../change.ts';
import { API_PREFIX } from '../describe.ts';
import { crud, EMPTY, json, named, parameter, type Reply, type Resource, type UserCall } from '../table.ts';
import { badRequest, collectErrors, noMatch, REQUIRED } from '../wire/errors.ts';
import type { Json } from '../wire/json.ts';
import { lastOf, textOf } from '../wire/values.ts';

interface UserRow {
  id: number;
  username: string;
  email: string;
  is_superuser: boolean;
}

const COLUMNS = ['id', 'username', 'email', 'is_superuser'] as const;

function userObject(user: Omit<UserRow, 'id'>): Json {
  return {
    username: user.username,
    email: user.email,
    is_local: true,
    is_superuser: user.is_superuser,
    resource_uri: `${API_PREFIX}users/${encodeURIComponent(user.username)}/`,
  };
}

async function byName(call: UserCall, username: string): Promise<UserRow | undefined> {
  return await call.deps.db.selectFrom('users').select(COLUMNS).where('username', '=', username).executeTakeFirst();
}

async function list(call: UserCall): Promise<Reply> {
  const rows = await call.deps.db.selectFrom('users').select(COLUMNS).orderBy('username').execute();
  return json(rows.map(userObject));
}

async function whoami(call: UserCall): Promise<Reply> {
  const user = await byName(call, call.user.name);
  if (user === undefined) throw noMatch('User');
  return json(userObject(user));
}

async function read(call: UserCall): Promise<Reply> {
  const user = await byName(call, call.path.username ?? '');
  if (user === undefined) throw noMatch('User');
  return json(userObject(user));
}

async function create(call: UserCall): Promise<Reply> {
  const errors = collectErrors();
  for (const field of ['username', 'email', 'password', 'is_superuser']) {
    if (textOf(call.values, field) === undefined) errors.add(field, REQUIRED);
  }
  const flag = lastOf(call.values, 'is_superuser');
  if (flag !== undefined && flag !== '' && flag !== '0' && flag !== '1') {
    errors.add('is_superuser', `Invalid is_superuser: '${flag}' should be 0 or 1.`);
  }
  errors.throwIfAny();
  const username = lastOf(call.values, 'username') ?? '';
  const email = lastOf(call.values, 'email') ?? '';
  const password = lastOf(call.values, 'password') ?? '';
  const user = await createUser(call.deps, { username, email, password, isAdmin: flag === '1' });
  const key = textOf(call.values, 'key');
  if (key !== undefined) await addSshKey(call.deps, user.id, key);
  return json(userObject({ username, email, is_superuser: user.isAdmin }));
}

/** An unknown user is already gone: 204 (as upstream). One who still has machines needs an heir. */
async function remove(call: UserCall): Promise<Reply> {
  const user = await byName(call, call.path.username ?? '');
  if (user === undefined) return EMPTY;
  if (user.id === call.user.id) throw badRequest('An administrator cannot self-delete.');
  const heirName = textOf(call.query, 'transfer_resources_to');
  const heir = heirName === undefined ? undefined : await byName(call, heirName);
  if (heirName !== undefined && heir === undefined) throw noMatch('User');
  await commit(call.deps, async (trx) => {
    const owned = await trx
      .selectFrom('machines')
      .select(['id', 'system_id'])
      .where('owner_id', '=', user.id)
      .execute();
    const spans = await trx.selectFrom('address_spans').select('id').where('user_id', '=', user.id).execute();
    if (heir === undefined && owned.length > 0) {
      throw badRequest(`User ${user.username} cannot be deleted: ${owned.length} node(s) are still allocated.`);
    }
    if (heir === undefined && spans.length > 0) {
      throw badRequest(
        `User ${user.username} cannot be deleted: ${spans.length} IP range(s) or address(es) are still in use.`,
      );
    }
    if (heir !== undefined) {
      await trx.updateTable('machines').set({ owner_id: heir.id }).where('owner_id', '=', user.id).execute();
      await trx.updateTable('address_spans').set({ user_id: heir.id }).where('user_id', '=', user.id).execute();
      if (owned.length > 0) {
        await trx
          .insertInto('body_dirty')
          .values(owned.map((row) => ({ machine_id: row.id })))
          .execute();
        await trx
          .insertInto('changes')
          .values(owned.map((row) => ({ kind: 'machine', key: row.system_id })))
          .execute();
      }
    }
    await trx.deleteFrom('users').where('id', '=', user.id).execute();
  });
  return EMPTY;
}

export const userRoutes: readonly Resource[] = [
  {
    paths: ['users/'],
    anon: null,
    auth: {
      name: 'UsersHandler',
      doc: 'Accounts.',
      operations: [
        crud('GET', 'user', { title: 'List accounts' }, list),
        named('GET', 'whoami', 'user', { title: 'Show the account of the caller' }, whoami),
        crud(
          'POST',
          'admin',
          {
            title: 'Create an account',
            parameters: [
              parameter('username', 'Login name.', 'String', true),
              parameter('email', 'E-mail address.', 'String', true),
              parameter('password', 'Password.', 'String', true),
              parameter('is_superuser', '1 for an administrator, otherwise 0.', 'Boolean', true),
              parameter('key', 'A public SSH key to store for the account.'),
            ],
          },
          create,
        ),
      ],
    },
  },
  {
    paths: ['users/{username}/'],
    anon: null,
    auth: {
      name: 'UserHandler',
      doc: 'One account.',
      operations: [
        crud('GET', 'user', { title: 'Read an account' }, read),
        crud(
          'DELETE',
          'admin',
          {
            title: 'Delete an account',
            parameters: [parameter('transfer_resources_to', 'Account that gets what the deleted one owns.')],
          },
          remove,
        ),
      ],
    },
  },
];
