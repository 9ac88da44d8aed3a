import type { CatalogueEntry } from './catalogue.ts';

/** Why a machine is not made or changed as asked. */
export const MACHINES = {
  'machine.mac_invalid': {
    title: 'Not a MAC address',
    message: "'{text}' is not a valid MAC address.",
    fix: 'Give six pairs of hexadecimal digits, 52:54:00:12:34:56.',
    http: 400,
    kind: 'refusal',
  },
  'machine.mac_in_use': {
    title: 'MAC address taken',
    message: 'MAC address {mac} already in use on {machine}.',
    fix: 'Use the machine {machine}, or delete it first.',
    http: 400,
    kind: 'refusal',
  },
  'machine.hostname_invalid': {
    title: 'Not a host name',
    message: 'Invalid hostname: {name}.',
    fix: 'Use letters, digits and inner hyphens, at most 63.',
    http: 400,
    kind: 'refusal',
  },
  'machine.hostname_taken': {
    title: 'Host name taken',
    message: "Node with hostname '{name}' already exists.",
    fix: 'Choose another name.',
    http: 400,
    kind: 'refusal',
  },
  'tag.name_invalid': {
    title: 'Not a tag name',
    message: "'{name}' is not a tag name.",
    fix: 'Use letters, digits, hyphen and underscore, at most 256.',
    http: 400,
    kind: 'refusal',
  },
  'zone.unknown': {
    title: 'No such zone',
    message: 'There is no zone "{name}".',
    fix: 'Use the name of one that exists.',
    http: 400,
    kind: 'refusal',
  },
  'pool.unknown': {
    title: 'No such pool',
    message: 'There is no pool "{name}".',
    fix: 'Use the name of one that exists.',
    http: 400,
    kind: 'refusal',
  },
  'user_data.too_large': {
    title: 'User data too large',
    message: 'The user data has {size} bytes; at most {limit} are accepted.',
    fix: 'Shorten it, or let it fetch the rest.',
    http: 400,
    kind: 'refusal',
  },
} as const satisfies Record<string, CatalogueEntry>;
