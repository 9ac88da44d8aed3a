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
} as const satisfies Record<string, CatalogueEntry>;
