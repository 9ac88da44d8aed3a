import type { CatalogueEntry } from './catalogue.ts';

/** Why a network is not served as asked. */
export const NETWORKS = {
  'network.invalid': {
    title: 'Not usable as a network',
    message: '{what}',
    fix: 'Give an IPv4 network of at least 8 addresses, 10.0.0.0/24, and addresses of hosts in it.',
    http: 400,
    kind: 'refusal',
  },
  'network.range_conflict': {
    title: 'Range overlaps',
    message: 'Requested dynamic range conflicts with an existing IP address or range.',
    fix: 'Choose another range, or release the addresses in it first.',
    http: 409,
    kind: 'refusal',
  },
  'network.full': {
    title: 'No room for a range',
    message: 'There is no room for any dynamic ranges on this subnet.',
    fix: 'Release addresses or reserved ranges in it.',
    http: 503,
    kind: 'refusal',
  },
  'network.no_relay': {
    title: 'Nothing to relay to',
    message: 'Requests of {cidr} cannot be relayed to {via}: {why}.',
    fix: 'Name a network that is served with --mode on and is not relayed itself: --via CIDR.',
    http: 400,
    kind: 'refusal',
  },
  'network.no_rack': {
    title: 'Rack not usable for this network',
    message: '{rack} cannot serve {cidr}: {why}.',
    fix: 'Name an enrolled rack with an address in that network; `ingot doctor` lists racks.',
    http: 400,
    kind: 'refusal',
  },
  'network.foreign_dhcp': {
    title: 'Foreign DHCP server',
    means:
      'Another DHCP server answers in a network that Ingot serves: machines get addresses and boot programs from either.',
    message: 'DHCP server {address} ({mac}) answers in {cidr}, which Ingot serves.',
    fix: 'Switch that server off there, or let it give the addresses: ingot network serve {cidr} --mode proxy',
    http: 409,
    kind: 'warning',
  },
  'network.proxy_alone': {
    title: 'Nobody gives addresses',
    means: 'In proxy mode another DHCP server gives the addresses; the rack looked for one and heard none.',
    message: 'No DHCP server answers in {cidr}, where Ingot only says what to boot.',
    fix: 'Start the DHCP server there, or let Ingot give the addresses: ingot network serve {cidr} --mode on',
    http: 503,
    kind: 'warning',
  },
  'network.range_exhausted': {
    title: 'Dynamic range exhausted',
    means: 'A machine asked for an address by DHCP and none was left, so it cannot boot from the network.',
    message: 'No dynamic address was left in {cidr} for a machine that asked ({given} of {addresses} given).',
    fix: 'Add a range: ingot network serve {cidr} --range FIRST-LAST; leases of machines that are gone end after an hour.',
    http: 503,
    kind: 'warning',
  },
} as const satisfies Record<string, CatalogueEntry>;
