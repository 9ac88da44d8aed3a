import { ServeReply, SubnetView } from '@ingot/contract/native.ts';
import { z } from 'zod';
import type { CliContext, GlobalOptions } from '../context.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { table } from '../format/table.ts';
import { openSession } from '../session.ts';

/** `ingot network serve CIDR [--range A-B]` */
export async function serveNetwork(
  context: CliContext,
  options: GlobalOptions & { range?: string },
  cidr: string,
): Promise<void> {
  const range = options.range === undefined ? {} : parseRange(options.range);
  const session = await openSession(context, options);
  const served = await session.client.post('/network/serve', { cidr, ...range }, ServeReply);
  session.print(served, () => {
    const rack =
      served.rack === null
        ? 'No rack stands in this network yet: start one there, or give this host an address in it.'
        : `Served by rack ${served.rack}.`;
    return `DHCP is on for ${served.cidr}, addresses ${served.range.start} to ${served.range.end}. ${rack}\n`;
  });
}

export function parseRange(text: string): { start: string; end: string } {
  const [start, end, more] = text.split('-').map((part) => part.trim());
  if (start && end && more === undefined) return { start, end };
  throw new CliFailure(`--range takes FIRST-LAST, not "${text}"`, {
    exitCode: EXIT.usage,
    fix: 'for example --range 10.0.0.100-10.0.0.199',
  });
}

export async function listNetworks(context: CliContext, options: GlobalOptions): Promise<void> {
  const session = await openSession(context, options);
  const subnets = await session.client.get('/network/subnets', z.array(SubnetView));
  session.print(subnets, () =>
    subnets.length === 0
      ? 'No networks known yet; a rack reports those that it stands in.\n'
      : table(
          ['ID', 'CIDR', 'FABRIC', 'VLAN', 'DHCP', 'GATEWAY', 'RANGES'],
          subnets.map((subnet) => [
            String(subnet.id),
            subnet.cidr,
            subnet.fabric,
            String(subnet.vlan),
            subnet.dhcp ? 'on' : 'off',
            subnet.gateway ?? '–',
            subnet.ranges.map((range) => `${range.start}-${range.end} ${range.kind}`).join(', '),
          ]),
        ),
  );
}
