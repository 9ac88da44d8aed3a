import type { Site } from './candidate.ts';
import type { ConstraintName, Constraints, Submitted } from './constraints.ts';
import { parseInterfaces, specifierError } from './interface-constraint.ts';
import { resolveSubnets, resolveVlans, type SpecifierResult } from './specifier.ts';
import { parseStorage } from './storage-constraint.ts';

/** Parameters of an allocate request that are not constraints. */
const ALLOCATE_OPTIONS: readonly string[] = [
  'op',
  'agent_name',
  'comment',
  'bridge_all',
  'bridge_type',
  'bridge_stp',
  'bridge_fd',
  'dry_run',
  'verbose',
];

export type Parsed = { ok: true; constraints: Constraints } | { ok: false; errors: Record<string, string[]> };

/**
 * Validate what was submitted. Errors are by field, with the texts that clients know; nothing may be allocated then.
 * Option names are passed over, every other unknown name is an error.
 */
export function parseConstraints(submitted: Submitted, site: Site): Parsed {
  const constraints: Constraints = {};
  const errors: Record<string, string[]> = {};
  for (const [name, values] of submitted) {
    if (ALLOCATE_OPTIONS.includes(name)) continue;
    const given = values.filter((value) => value !== '');
    const parse = isConstraint(name) ? PARSERS[name] : null;
    if (parse === null) errors[name] = [name === 'devices' ? NO_DEVICES : 'No such constraint.'];
    else if (given.length > 0) {
      const error = parse(given, constraints, site);
      if (error !== null) errors[name] = [error];
    }
  }
  return Object.keys(errors).length > 0 ? { ok: false, errors } : { ok: true, constraints };
}

const NO_DEVICES = 'Constraints on node devices are not supported.';

/** Puts the cleaned values into the constraints, or says what is wrong with them. */
type Parser = (values: string[], into: Constraints, site: Site) => string | null;

type TextName = {
  [Name in ConstraintName]-?: string[] extends Constraints[Name] ? Name : never;
}[ConstraintName];
type NumberName = 'cpu_count' | 'cpu_speed' | 'mem' | 'link_speed';
type IdName = 'subnets' | 'not_subnets' | 'vlans' | 'not_vlans';

const anyText =
  (name: TextName): Parser =>
  (values, into) => {
    into[name] = values;
    return null;
  };

/** Names that must exist; the message lists the unknown ones. */
const known =
  (name: TextName, of: (site: Site) => readonly string[], noun: string): Parser =>
  (values, into, site) => {
    const unknown = values.filter((value) => !of(site).includes(value));
    if (unknown.length > 0) return `No such ${noun}: ${unknown.join(', ')}.`;
    into[name] = values;
    return null;
  };

/** "At least"; of several values the smallest counts. */
const atLeast =
  (name: NumberName, error: string): Parser =>
  (values, into) => {
    const numbers = values.map((value) => value.trim());
    if (!numbers.every((value) => /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value))) return error;
    into[name] = Math.min(...numbers.map(Number));
    return null;
  };

const choice =
  (name: TextName, choices: readonly string[]): Parser =>
  (values, into) => {
    const plain = values.map((value) => value.replace(/^=/, ''));
    const wrong = plain.find((value) => !choices.includes(value));
    if (wrong !== undefined) {
      return `Select a valid choice. ${wrong} is not one of the available choices.`;
    }
    into[name] = plain;
    return null;
  };

const specified =
  (name: IdName, resolve: (site: Site, values: string[]) => SpecifierResult, none: string): Parser =>
  (values, into, site) => {
    const result = resolve(site, values);
    if (!result.ok) return result.error;
    if (result.ids.length === 0) return none;
    into[name] = result.ids;
    return null;
  };

const subnets = (site: Site, values: string[]) => resolveSubnets(site.network, values);
const vlans = (site: Site, values: string[]) => resolveVlans(site.network, values);
const NO_SUBNET = 'No matching subnets found.';
const NO_VLAN = 'No matching VLANs found.';
const POWER_STATES = ['on', 'off', 'unknown', 'error'];
const TARGETS = ['memory', 'disk'];

const PARSERS: Record<ConstraintName, Parser> = {
  name: anyText('name'),
  system_id: anyText('system_id'),
  arch: parseArch,
  not_arch: anyText('not_arch'),
  cpu_count: atLeast('cpu_count', 'Invalid CPU count: number required.'),
  cpu_speed: atLeast('cpu_speed', 'Invalid CPU speed: number required.'),
  mem: atLeast('mem', 'Invalid memory: number of MiB required.'),
  link_speed: atLeast('link_speed', 'Invalid link speed: number required.'),
  tags: parseTags,
  // Not split and not checked, unlike tags: so it is upstream.
  not_tags: anyText('not_tags'),
  zone: known('zone', (site) => site.zones, 'zone(s)'),
  not_in_zone: known('not_in_zone', (site) => site.zones, 'zone(s)'),
  pool: known('pool', (site) => site.pools, 'pool(s)'),
  not_in_pool: known('not_in_pool', (site) => site.pools, 'pool(s)'),
  owner: parseOwner,
  not_owner: anyText('not_owner'),
  power_state: choice('power_state', POWER_STATES),
  not_power_state: choice('not_power_state', POWER_STATES),
  deployment_target: choice('deployment_target', TARGETS),
  not_deployment_target: choice('not_deployment_target', TARGETS),
  fabrics: anyText('fabrics'),
  not_fabrics: anyText('not_fabrics'),
  fabric_classes: anyText('fabric_classes'),
  not_fabric_classes: anyText('not_fabric_classes'),
  subnets: specified('subnets', subnets, NO_SUBNET),
  not_subnets: specified('not_subnets', subnets, NO_SUBNET),
  vlans: specified('vlans', vlans, NO_VLAN),
  not_vlans: specified('not_vlans', vlans, NO_VLAN),
  storage: (values, into) => {
    const text = values[0] ?? '';
    const groups = parseStorage(text);
    if (groups === null) return `Malformed storage constraint, "${text}".`;
    into.storage = { text, groups };
    return null;
  },
  interfaces: (values, into, site) => {
    const text = values[0] ?? '';
    const parsed = parseInterfaces(text);
    if (!parsed.ok) return parsed.error;
    const wrong = specifierError(site.network, parsed.labels);
    if (wrong === null && parsed.labels.length > 0) into.interfaces = { text, labels: parsed.labels };
    return wrong;
  },
};

function isConstraint(name: string): name is ConstraintName {
  return Object.hasOwn(PARSERS, name);
}

/** A bare architecture stands for every sub-architecture of it; `arm` is the old name of `armhf`. */
function parseArch(values: string[], into: Constraints, site: Site): string | null {
  const found: string[] = [];
  for (const value of values) {
    const matching = (arch: string) => site.architectures.filter((one) => one === arch || one.startsWith(`${arch}/`));
    const direct = matching(value);
    const all = direct.length === 0 && value === 'arm' ? matching('armhf') : direct;
    if (all.length === 0) return 'Architecture not recognised.';
    found.push(...all.filter((one) => !found.includes(one)));
  }
  into.arch = found;
  return null;
}

function parseTags(values: string[], into: Constraints, site: Site): string | null {
  const tags = values.flatMap((value) => value.split(/[\s,]+/)).filter((tag) => tag !== '');
  const unknown = tags.filter((tag) => !site.tags.includes(tag));
  if (unknown.length > 0) return `No such tag(s): ${unknown.map((tag) => `'${tag}'`).join(', ')}.`;
  if (tags.length > 0) into.tags = [...new Set(tags)];
  return null;
}

function parseOwner(values: string[], into: Constraints, site: Site): string | null {
  const unknown = values.find((value) => !site.owners.includes(value));
  if (unknown !== undefined) return `No such owner: '${unknown}'.`;
  into.owner = values;
  return null;
}
