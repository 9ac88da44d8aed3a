import { RackToken } from '@ingot/contract/native.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { openSession } from '../session.ts';

/** `ingot rack token`: prints the one line that is to be run on the rack's host. */
export async function rackToken(context: CliContext, options: GlobalOptions): Promise<void> {
  const session = await openSession(context, options);
  const made = await session.client.post('/racks/tokens', undefined, RackToken);
  session.print(made, () => `ingot rack enroll ${made.url} ${made.token}\n`);
}
