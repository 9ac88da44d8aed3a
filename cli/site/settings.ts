import { SettingsView } from '@ingot/contract/native.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { table } from '../format/table.ts';
import { openSession } from '../session.ts';

/** Without words every setting; NAME shows one, NAME=VALUE changes it. All changes of one command are made, or none. */
export async function settings(context: CliContext, options: GlobalOptions, words: readonly string[]): Promise<void> {
  const session = await openSession(context, options);
  const changes = words.filter((word) => word.includes('=')).map(readChange);
  const known =
    changes.length === 0
      ? await session.client.get('/settings', SettingsView)
      : await session.client.post('/settings', Object.fromEntries(changes), SettingsView);
  const names = words.length === 0 ? Object.keys(known).sort() : words.map((word) => word.split('=', 1)[0] ?? '');
  const shown = names.map((name) => {
    if (name in known) return [name, known[name]] as const;
    throw new CliFailure(`there is no setting ${name}`, { exitCode: EXIT.usage, fix: 'ingot settings lists them' });
  });
  session.print(Object.fromEntries(shown), () =>
    table(
      ['NAME', 'VALUE'],
      shown.map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
    ),
  );
}

/** A value is JSON where it reads as such (true, 15, {"agent": 600}), else text as it stands. */
function readChange(word: string): [name: string, value: unknown] {
  const at = word.indexOf('=');
  const text = word.slice(at + 1);
  try {
    return [word.slice(0, at), JSON.parse(text)];
  } catch {
    return [word.slice(0, at), text];
  }
}
