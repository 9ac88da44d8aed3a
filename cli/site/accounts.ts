import { randomBytes } from 'node:crypto';
import { ApiKey, WhoAmI } from '@ingot/contract/native.ts';
import { chooseConnection, siteOf } from '../client/connection.ts';
import { saveProfile } from '../client/profile.ts';
import { clientOf, Unreachable } from '../client/request.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { EXIT } from '../failure.ts';
import { runBeside } from '../run-beside.ts';
import { openSession } from '../session.ts';

export function newPassword(): string {
  return randomBytes(15).toString('base64url');
}

/**
 * `ingot createadmin`. With a region running it makes the account there; otherwise by a region process of its own, which
 * opens the database, makes it and ends. Without --password one is made and printed once.
 */
export async function createAdmin(
  context: CliContext,
  options: GlobalOptions & { username: string; password?: string; email?: string; database?: string },
): Promise<number> {
  const { username, email = '' } = options;
  const password = options.password ?? newPassword();
  try {
    const session = await openSession(context, options);
    await session.client.post('/users', { username, password, email, admin: true }, WhoAmI);
  } catch (error) {
    if (!isNotRunning(error)) throw error;
    const argv = ['createadmin', '--username', username, '--password', '-', ...(email ? ['--email', email] : [])];
    const code = await runBeside(context, options, 'region', argv, { input: password, database: options.database });
    if (code !== 0) return code;
  }
  const secret = options.password === undefined ? { password } : {};
  const text = options.password === undefined ? `, password ${password} (shown once)` : '';
  const json = options.output === 'json';
  context.stdout.write(
    json ? `${JSON.stringify({ username, ...secret })}\n` : `Administrator ${username} made${text}\n`,
  );
  return EXIT.ok;
}

/** `ingot apikey USER`: a new key, printed alone so that it can be captured. */
export async function apiKey(
  context: CliContext,
  options: GlobalOptions & { name?: string; database?: string },
  username: string | undefined,
): Promise<number> {
  try {
    const session = await openSession(context, options);
    const user = username ?? (await session.client.get('/whoami', WhoAmI)).username;
    const body = options.name === undefined ? {} : { name: options.name };
    const made = await session.client.post(`/users/${encodeURIComponent(user)}/api-keys`, body, ApiKey);
    session.print(made, () => `${made.key}\n`);
    return EXIT.ok;
  } catch (error) {
    if (!isNotRunning(error) || username === undefined) throw error;
    const argv = ['apikey', '--username', username, '--generate'];
    return runBeside(context, options, 'region', argv, { database: options.database });
  }
}

/** `ingot login URL KEY`: checks the key before it remembers it. */
export async function login(context: CliContext, url: string, key: string): Promise<void> {
  const site = siteOf(url);
  const who = await clientOf({ kind: 'url', url: site, apiKey: key }).get('/whoami', WhoAmI);
  await saveProfile(context.env.profileFile, { url: site, apiKey: key });
  context.stdout.write(`Logged in to ${site} as ${who.username}; remembered in ${context.env.profileFile}\n`);
}

export async function whoAmI(context: CliContext, options: GlobalOptions): Promise<void> {
  const session = await openSession(context, options);
  const who = await session.client.get('/whoami', WhoAmI);
  const { kind } = await chooseConnection(context, options);
  session.print(who, () => `${who.username}${who.admin ? ', administrator' : ''}, by ${kind}\n`);
}

function isNotRunning(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof Error && error.message.startsWith('no region is running'));
}
