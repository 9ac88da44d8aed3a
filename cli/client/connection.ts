import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type CliContext, type GlobalOptions, stateDirOf } from '../context.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { Profile } from './profile.ts';

/** How the region is reached: its own socket on this host, or its URL with an API key. */
export type Connection = { kind: 'socket'; path: string } | { kind: 'url'; url: string; apiKey: string };

/**
 * A URL given by flag or environment first; then the socket below the state directory; then the profile of
 * `ingot login`. Throws when there is none of them.
 */
export async function chooseConnection(context: CliContext, options: GlobalOptions): Promise<Connection> {
  const url = options.url ?? (options.state === undefined ? context.env.url : undefined);
  if (url !== undefined) {
    const apiKey = options.apiKey ?? context.env.apiKey ?? (await readProfile(context))?.apiKey;
    if (apiKey === undefined) {
      throw new CliFailure('no API key for this URL', {
        exitCode: EXIT.usage,
        fix: 'give --api-key CONSUMER:TOKEN:SECRET, set INGOT_API_KEY, or run: ingot login URL KEY',
      });
    }
    return { kind: 'url', url: siteOf(url), apiKey };
  }
  const socket = socketOf(stateDirOf(context, options));
  if (existsSync(socket)) return { kind: 'socket', path: socket };
  const profile = options.state === undefined ? await readProfile(context) : null;
  if (profile) return { kind: 'url', ...profile };
  throw new CliFailure(`no region is running here: ${socket} does not exist`, {
    exitCode: EXIT.failed,
    fix: 'start it with: ingot up, name its directory with --state DIR, or log in to another host: ingot login URL KEY',
  });
}

export function socketOf(stateDir: string): string {
  return path.join(stateDir, 'run', 'api.sock');
}

/** Drops what people copy along with a site's address: paths and a slash at the end. */
export function siteOf(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new CliFailure(`"${url}" is not a URL`, { exitCode: EXIT.usage, fix: 'write it as http://HOST:5240' });
  }
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    throw new CliFailure(`"${url}" is not an http URL`, { exitCode: EXIT.usage, fix: 'write it as http://HOST:5240' });
  }
  return parsed.origin;
}

async function readProfile(context: CliContext): Promise<Profile | null> {
  const { profileFile } = context.env;
  if (!existsSync(profileFile)) return null;
  try {
    return Profile.parse(JSON.parse(await readFile(profileFile, 'utf8')));
  } catch {
    throw new CliFailure(`${profileFile} cannot be read`, {
      exitCode: EXIT.usage,
      fix: 'write it again with: ingot login URL KEY',
    });
  }
}
