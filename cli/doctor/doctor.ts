import path from 'node:path';
import { Health, ImageView, RackView, SshKeyView, SubnetView } from '@ingot/contract/native.ts';
import * as z from 'zod';
import { type Connection, chooseConnection } from '../client/connection.ts';
import { clientOf, exchange } from '../client/request.ts';
import { type CliContext, type GlobalOptions, stateDirOf } from '../context.ts';
import { CliFailure, EXIT, type ExitCode } from '../failure.ts';
import { type Palette, palette } from '../format/colour.ts';
import { type Check, hostChecks, type SiteFacts, siteChecks } from './checks.ts';
import { lookAtHost } from './host.ts';

/** `ingot doctor`: 0 when nothing failed (warnings are allowed), else 1. */
export async function doctor(context: CliContext, options: GlobalOptions): Promise<ExitCode> {
  const host = await lookAtHost(path.resolve(stateDirOf(context, options)));
  const checks = [...hostChecks(host), ...(await regionChecks(context, options))];
  const json = options.output === 'json';
  context.stdout.write(
    json ? `${JSON.stringify(checks, null, 2)}\n` : checkList(checks, palette(context.colour && !json)),
  );
  return checks.some((check) => check.state === 'failed') ? EXIT.failed : EXIT.ok;
}

async function regionChecks(context: CliContext, options: GlobalOptions): Promise<Check[]> {
  try {
    return siteChecks(await askSite(await chooseConnection(context, options)));
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error;
    return [{ name: 'region', state: 'failed', detail: error.message, fix: error.fix }];
  }
}

async function askSite(connection: Connection): Promise<SiteFacts> {
  const client = clientOf(connection, 10_000);
  const answer = await exchange(connection, 'GET', '/healthz', undefined, 10_000);
  const health = Health.safeParse(JSON.parse(answer.text));
  const [racks, images, subnets, keys] = await Promise.all([
    client.get('/racks', z.array(RackView)),
    client.get('/images', z.array(ImageView)),
    client.get('/network/subnets', z.array(SubnetView)),
    client.get('/ssh-keys', z.array(SshKeyView)),
  ]);
  return { database: health.success && health.data.database, racks, images, subnets, keys };
}

export function checkList(checks: readonly Check[], colours: Palette): string {
  const marks = { ok: colours.green('✓'), warning: colours.yellow('!'), failed: colours.red('✗') };
  return checks
    .map((check) => {
      const fix = check.fix === null ? '' : `      → ${check.fix}\n`;
      return `${marks[check.state]} ${check.name.padEnd(18)} ${check.detail}\n${fix}`;
    })
    .join('');
}
