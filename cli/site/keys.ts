import { readFile } from 'node:fs/promises';
import { SshKeyView } from '@ingot/contract/native.ts';
import * as z from 'zod';
import type { CliContext, GlobalOptions } from '../context.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { table } from '../format/table.ts';
import { openSession } from '../session.ts';

export async function listKeys(context: CliContext, options: GlobalOptions): Promise<void> {
  const session = await openSession(context, options);
  const keys = await session.client.get('/ssh-keys', z.array(SshKeyView));
  session.print(keys, () =>
    keys.length === 0
      ? 'No SSH keys. Add one: ingot keys add ~/.ssh/id_ed25519.pub\n'
      : table(
          ['ID', 'FINGERPRINT', 'COMMENT'],
          keys.map((key) => [String(key.id), key.fingerprint, key.comment]),
        ),
  );
}

/** `what` is a file, or the key itself. */
export async function addKey(context: CliContext, options: GlobalOptions, what: string): Promise<void> {
  const session = await openSession(context, options);
  const key = /^(ssh|ecdsa|sk)-\S+ /.test(what) ? what : await readKey(what);
  const added = await session.client.post('/ssh-keys', { key: key.trim() }, SshKeyView);
  session.print(added, () => `Added ${added.fingerprint} ${added.comment}\n`);
}

export async function removeKey(context: CliContext, options: GlobalOptions, id: string): Promise<void> {
  const session = await openSession(context, options);
  await session.client.send('DELETE', `/ssh-keys/${encodeURIComponent(id)}`);
  session.print({ id, removed: true }, () => `Removed key ${id}\n`);
}

async function readKey(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new CliFailure(`the key cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      exitCode: EXIT.usage,
      fix: 'name a .pub file, for example ~/.ssh/id_ed25519.pub',
    });
  }
  // Sending it would put a secret into the region's database.
  if (text.includes('PRIVATE KEY')) {
    throw new CliFailure(`${file} is a private key`, {
      exitCode: EXIT.usage,
      fix: `name its public half: ${file}.pub`,
    });
  }
  return text;
}
