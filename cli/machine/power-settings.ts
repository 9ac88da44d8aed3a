import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { PowerParametersView, PowerTypeView } from '@ingot/contract/native.ts';
import * as z from 'zod';
import type { CliContext, GlobalOptions } from '../context.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { powerSettings as formatted } from '../format/power-settings.ts';
import { openSession } from '../session.ts';

export interface PowerSettingsOptions extends GlobalOptions {
  type?: string;
  /** FIELD=VALUE; FIELD=@FILE reads the value from a file, FIELD=@- from standard input. */
  set?: string[];
}

/**
 * `ingot power-settings NAME [--type TYPE] [--set FIELD=VALUE…]`: changes them when told to, then shows how the machine's power
 * is switched. Secrets are sent and never shown: the region answers without them.
 */
export async function powerSettings(context: CliContext, options: PowerSettingsOptions, name: string): Promise<void> {
  const powerParameters = await assignments(options.set ?? []);
  const session = await openSession(context, options);
  const path = `/machines/${encodeURIComponent(name)}`;
  if (options.type !== undefined || options.set !== undefined) {
    await session.client.send('PATCH', path, {
      powerType: options.type,
      powerParameters: options.set === undefined ? undefined : powerParameters,
    });
  }
  const [settings, types] = await Promise.all([
    session.client.get(`${path}/power-parameters`, PowerParametersView),
    session.client.get('/power-types', z.array(PowerTypeView)),
  ]);
  session.print(settings, () => formatted(name, settings, types));
}

async function assignments(given: readonly string[]): Promise<Record<string, string>> {
  const parameters: Record<string, string> = {};
  for (const one of given) {
    const at = one.indexOf('=');
    if (at < 1) {
      // What was typed may be a secret: it is not repeated.
      throw new CliFailure('--set takes FIELD=VALUE', {
        exitCode: EXIT.usage,
        fix: 'for example --set power_address=10.0.0.9 power_pass=@FILE',
      });
    }
    parameters[one.slice(0, at)] = await read(one.slice(at + 1), one.slice(0, at));
  }
  return parameters;
}

/** A file keeps a password out of the list of processes and of the shell's history. */
async function read(value: string, field: string): Promise<string> {
  if (!value.startsWith('@')) return value;
  const file = value.slice(1);
  try {
    const content = file === '-' ? await text(process.stdin) : await readFile(file, 'utf8');
    return content.replace(/\r?\n$/, '');
  } catch (error) {
    throw new CliFailure(`${field} cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      exitCode: EXIT.usage,
      fix: 'name a file after the @, or - for standard input',
    });
  }
}
