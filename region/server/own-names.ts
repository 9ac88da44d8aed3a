import { isIP } from 'node:net';
import type os from 'node:os';
import type { ListenAddress } from './command-line.ts';

type Interfaces = ReturnType<typeof os.networkInterfaces>;

const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;
const ANY = new Set(['0.0.0.0', '::']);

/** Addresses by which other hosts may know this one, IPv4 first. Link-local ones mean nothing without an interface. */
function outerAddresses(interfaces: Interfaces): string[] {
  const all = Object.values(interfaces).flatMap((addresses) => addresses ?? []);
  const outer = all.filter(({ internal, address }) => !internal && !/^fe[89ab]/i.test(address));
  const of = (family: string) => outer.filter((one) => one.family === family).map(({ address }) => address);
  return [...of('IPv4'), ...of('IPv6')];
}

/** Names and addresses that the certificate for racks is good for, each once, sorted. */
export function certificateNames(
  host: { hostname: string; interfaces: Interfaces },
  listen: ListenAddress,
  extra: readonly string[],
): string[] {
  const listening = ANY.has(listen.host) ? [] : [listen.host];
  const all = [
    host.hostname,
    'localhost',
    '127.0.0.1',
    '::1',
    ...outerAddresses(host.interfaces),
    ...listening,
    ...extra,
  ];
  return [...new Set(all.filter((name) => isIP(name) !== 0 || HOST_NAME.test(name)))].sort();
}

/** The URL that `ingot rack token` shows: the name that was given for it, else an address of this host. */
export function rackUrl(
  host: { hostname: string; interfaces: Interfaces },
  listen: ListenAddress,
  extra: readonly string[],
): string {
  const listening = ANY.has(listen.host) ? outerAddresses(host.interfaces)[0] : listen.host;
  const name = extra[0] ?? listening ?? host.hostname;
  return `https://${isIP(name) === 6 ? `[${name}]` : name}:${listen.port}`;
}
