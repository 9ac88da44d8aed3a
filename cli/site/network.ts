import { type DhcpModeName, ServeReply, SubnetView } from '@ingot/contract/native.ts';
import * as z from 'zod';
import type { CliContext, GlobalOptions } from '../context.ts';
import { CliFailure, EXIT } from '../failure.ts';
import { table } from '../format/table.ts';
import { openSession } from '../session.ts';

export interface ServeOptions {
  range?: string;
  mode?: DhcpModeName;
  via?: string;
  primary?: string;
  secondary?: string;
}

/** `ingot network serve CIDR [--mode on|proxy|relay|off] [--range A-B] [--via CIDR] [--primary RACK] [--secondary RACK]` */
export async function serveNetwork(
  context: CliContext,
  options: GlobalOptions & ServeOptions,
  cidr: string,
): Promise<void> {
  const range = options.range === undefined ? {} : parseRange(options.range);
  const { mode, via, primary, secondary } = options;
  const session = await openSession(context, options);
  const served = await session.client.post(
    '/network/serve',
    { cidr, ...range, mode, via, primary, secondary },
    ServeReply,
  );
  session.print(served, () => `${whatIsServed(served, via)}${whoServes(served)}\n`);
}

function whatIsServed({ cidr, mode, range }: ServeReply, via: string | undefined): string {
  switch (mode) {
    case 'on':
      return `DHCP is on for ${cidr}, addresses ${range?.start} to ${range?.end}.`;
    case 'proxy':
      return `Another DHCP server gives addresses in ${cidr}; Ingot says what to boot.`;
    case 'relay':
      return `DHCP for ${cidr} is answered by the rack of ${via}, addresses ${range?.start} to ${range?.end}. Point the relay agent there to that rack.`;
    case 'off':
      return `DHCP is off for ${cidr}.`;
  }
}

function whoServes({ mode, rack, secondary }: ServeReply): string {
  if (mode === 'off' || mode === 'relay') return '';
  if (rack === null) return ' No rack stands in this network yet: start one there, or give this host an address in it.';
  return ` Served by rack ${rack}${secondary === null ? '' : `, ${secondary} stands in for it`}.`;
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
          ['ID', 'CIDR', 'FABRIC', 'VLAN', 'DHCP', 'GIVEN', 'GATEWAY', 'RANGES'],
          subnets.map((subnet) => [
            String(subnet.id),
            subnet.cidr,
            subnet.fabric,
            String(subnet.vlan),
            subnet.relay === null ? subnet.mode : `relay to ${subnet.relay}`,
            subnet.pool === null ? '–' : `${subnet.pool.given}/${subnet.pool.addresses}`,
            subnet.gateway ?? '–',
            subnet.ranges.map((range) => `${range.start}-${range.end} ${range.kind}`).join(', '),
          ]),
        ) + warningLines(subnets),
  );
}

function warningLines(subnets: readonly SubnetView[]): string {
  return subnets
    .flatMap(({ warnings }) => warnings)
    .map(({ code, message, fix }) => `! ${message} (${code})\n  → ${fix}\n`)
    .join('');
}
