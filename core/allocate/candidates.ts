import type { CandidateRow, NetworkPlan } from './candidate.ts';
import type { ConstraintName, Constraints } from './constraints.ts';
import { matchInterfaces } from './interface-constraint.ts';
import { matchStorage, type StorageMatch } from './storage-constraint.ts';

export interface Match {
  row: CandidateRow;
  /** For `constraints_by_type` of the answer; a key is there only if something labelled was asked. */
  byType: { storage?: StorageMatch; interfaces?: Record<string, number[]> };
}

export interface Chosen {
  /** Best first. */
  ordered: Match[];
  /** system_id → the first constraint it does not meet, in words. */
  rejected: Map<string, string>;
}

/** Small machines first, so that what is asked for small does not use up what is big. */
export function costOf(row: Pick<CandidateRow, 'cpuCount' | 'memory'>): number {
  return row.cpuCount + row.memory / 1024;
}

/**
 * Those of the rows that meet every constraint, cheapest first, ties by id. The rows are the machines that may be taken
 * at all (Ready, unlocked, the caller may edit them); which those are is the caller's to know.
 */
export function candidates(rows: readonly CandidateRow[], constraints: Constraints, plan: NetworkPlan): Chosen {
  const ordered: Match[] = [];
  const rejected = new Map<string, string>();
  const test = fitting(constraints, plan);
  for (const row of rows) {
    const result = test(row);
    if (typeof result === 'function') rejected.set(row.systemId, result());
    else ordered.push(result);
  }
  ordered.sort((a, b) => byCost(a.row, b.row));
  return { ordered, rejected };
}

/** Cheapest first, ties by id. */
export function byCost(a: CandidateRow, b: CandidateRow): number {
  return costOf(a) - costOf(b) || a.id - b.id;
}

/** No machine of a lower cost can meet these constraints. */
export function leastCost({ cpu_count = 0, mem = 0 }: Pick<Constraints, 'cpu_count' | 'mem'>): number {
  return Math.max(0, cpu_count) + Math.max(0, mem) / 1024;
}

/** Why a machine does not fit: words that are made only if somebody asks, since most of thousands do not fit. */
export type Lack = () => string;

/** The test of one machine: how it meets the constraints, or the first one it does not. */
export function fitting(constraints: Constraints, plan: NetworkPlan): (row: CandidateRow) => Match | Lack {
  const checks = CHECKS.filter(([name]) => constraints[name] !== undefined);
  // Thousands of machines are asked, most of them in vain: what most of them lack first. Why is found out in order.
  const place = (name: ConstraintName) => (QUICK.includes(name) ? QUICK.indexOf(name) : QUICK.length);
  const ordered = checks.toSorted(([a], [b]) => place(a) - place(b)).map(([, check]) => check);
  const { storage: asked, interfaces: labels } = constraints;
  const why = (row: CandidateRow) => (): string => {
    for (const [, check] of checks) {
      const lack = check(row, constraints, plan);
      if (lack !== null) return lack();
    }
    return '';
  };
  const fits = (row: CandidateRow): boolean => {
    for (const check of ordered) if (check(row, constraints, plan) !== null) return false;
    return true;
  };
  return (row) => {
    if (!fits(row)) return why(row);
    const storage = asked && matchStorage(row.disks, asked.groups);
    const interfaces = labels && matchInterfaces(row, plan, labels.labels);
    if (storage === null) return () => `storage=${asked?.text}: no fitting devices`;
    if (interfaces === null) return () => `interfaces=${labels?.text}: a label is served by no interface`;
    const labelled = storage !== undefined && Object.keys(storage).length > 0;
    return { row, byType: { ...(labelled ? { storage } : {}), ...(interfaces ? { interfaces } : {}) } };
  };
}

/**
 * Constraints that need the row alone, those that turn most machines away first: machines are asked from the least cost on
 * that the numbers allow, so the numbers hold for most.
 */
const QUICK: readonly ConstraintName[] = ['system_id', 'zone', 'pool', 'arch', 'tags', 'mem', 'cpu_count', 'cpu_speed'];

/** Constraints that are about disks and interfaces; without one of them a row's may be left out. */
const ON_DEVICES: readonly ConstraintName[] = [
  ...(['storage', 'interfaces', 'link_speed', 'subnets', 'not_subnets', 'vlans', 'not_vlans'] as const),
  ...(['fabrics', 'not_fabrics', 'fabric_classes', 'not_fabric_classes'] as const),
];

export function needsDevices(constraints: Constraints): boolean {
  return ON_DEVICES.some((name) => constraints[name] !== undefined);
}

type Check = (row: CandidateRow, constraints: Constraints, plan: NetworkPlan) => Lack | null;

const missing = (wanted: string, has: string) => `${wanted}, but it has ${has === '' ? 'none' : has}`;

function oneOf(name: keyof Constraints, value: string | null, wanted: readonly string[] | undefined): Lack | null {
  if (wanted === undefined || (value !== null && wanted.includes(value))) return null;
  return () => missing(`${name}=${wanted.join(',')}`, value ?? '');
}
function noneOf(name: keyof Constraints, has: readonly string[], unwanted: readonly string[] | undefined): Lack | null {
  const found = unwanted?.find((value) => has.includes(value));
  return found === undefined ? null : () => missing(`${name}=${found}`, found);
}
function atLeast(name: keyof Constraints, has: number, wanted: number | undefined): Lack | null {
  return wanted === undefined || has >= wanted ? null : () => missing(`${name}=${wanted}`, String(has));
}

/** In the order of the reference: positive filters, then negative ones. */
const CHECKS: readonly (readonly [ConstraintName, Check])[] = [
  [
    'name',
    (row, { name }) => {
      const wrong = name?.find((one) => one !== row.hostname && one !== row.fqdn);
      return wrong === undefined ? null : () => missing(`name=${wrong}`, row.fqdn);
    },
  ],
  ['system_id', (row, { system_id }) => oneOf('system_id', row.systemId, system_id)],
  ['arch', (row, { arch }) => oneOf('arch', row.architecture, arch)],
  ['cpu_count', (row, { cpu_count }) => atLeast('cpu_count', row.cpuCount, cpu_count)],
  ['cpu_speed', (row, { cpu_speed }) => atLeast('cpu_speed', row.cpuSpeed, cpu_speed)],
  ['mem', (row, { mem }) => atLeast('mem', row.memory, mem)],
  [
    'link_speed',
    (row, { link_speed }) =>
      atLeast('link_speed', Math.max(0, ...row.interfaces.map((nic) => nic.linkSpeed)), link_speed),
  ],
  [
    'tags',
    (row, { tags }) => {
      if (tags === undefined || tags.every((tag) => row.tags.includes(tag))) return null;
      return () => {
        const lacking = tags.filter((tag) => !row.tags.includes(tag));
        return missing(`tags=${lacking.join(',')}`, row.tags.join(','));
      };
    },
  ],
  ['zone', (row, { zone }) => oneOf('zone', row.zone.name, zone)],
  ['pool', (row, { pool }) => oneOf('pool', row.pool.name, pool)],
  ['owner', (row, { owner }) => oneOf('owner', row.owner, owner)],
  ['power_state', (row, { power_state }) => oneOf('power_state', row.powerState, power_state)],
  ['deployment_target', (row, { deployment_target }) => oneOf('deployment_target', targetOf(row), deployment_target)],
  ['fabrics', (row, { fabrics }, plan) => anyOf('fabrics', fabricsOf(row, plan, 'name'), fabrics)],
  [
    'fabric_classes',
    (row, { fabric_classes }, plan) => anyOf('fabric_classes', fabricsOf(row, plan, 'classType'), fabric_classes),
  ],
  [
    'subnets',
    (row, { subnets }) => {
      const linked = subnetsOf(row);
      const lacking = subnets?.filter((id) => !linked.includes(id)) ?? [];
      return lacking.length === 0 ? null : () => missing(`subnets=${lacking.join(',')}`, linked.join(','));
    },
  ],
  ['vlans', (row, { vlans }) => anyOf('vlans', vlansOf(row), vlans?.map(String))],
  ['not_arch', (row, { not_arch }) => noneOf('not_arch', [row.architecture], not_arch)],
  ['not_tags', (row, { not_tags }) => noneOf('not_tags', row.tags, not_tags)],
  ['not_in_zone', (row, { not_in_zone }) => noneOf('not_in_zone', [row.zone.name], not_in_zone)],
  ['not_in_pool', (row, { not_in_pool }) => noneOf('not_in_pool', [row.pool.name], not_in_pool)],
  ['not_owner', (row, { not_owner }) => noneOf('not_owner', row.owner === null ? [] : [row.owner], not_owner)],
  ['not_power_state', (row, { not_power_state }) => noneOf('not_power_state', [row.powerState], not_power_state)],
  [
    'not_deployment_target',
    (row, { not_deployment_target }) => noneOf('not_deployment_target', [targetOf(row)], not_deployment_target),
  ],
  ['not_fabrics', (row, { not_fabrics }, plan) => noneOf('not_fabrics', fabricsOf(row, plan, 'name'), not_fabrics)],
  [
    'not_fabric_classes',
    (row, c, plan) => noneOf('not_fabric_classes', fabricsOf(row, plan, 'classType'), c.not_fabric_classes),
  ],
  [
    'not_subnets',
    (row, { not_subnets }) => noneOf('not_subnets', subnetsOf(row).map(String), not_subnets?.map(String)),
  ],
  ['not_vlans', (row, { not_vlans }) => noneOf('not_vlans', vlansOf(row), not_vlans?.map(String))],
];

function anyOf(name: keyof Constraints, has: readonly string[], wanted: readonly string[] | undefined): Lack | null {
  if (wanted === undefined || wanted.some((value) => has.includes(value))) return null;
  return () => missing(`${name}=${wanted.join(',')}`, has.join(','));
}

function targetOf(row: CandidateRow): string {
  return row.ephemeralDeploy ? 'memory' : 'disk';
}

function subnetsOf(row: CandidateRow): number[] {
  return row.interfaces.flatMap((nic) => nic.links.flatMap(({ subnetId }) => (subnetId === null ? [] : [subnetId])));
}

function vlansOf(row: CandidateRow): string[] {
  return row.interfaces.flatMap(({ vlanId }) => (vlanId === null ? [] : [String(vlanId)]));
}

function fabricsOf(row: CandidateRow, plan: NetworkPlan, field: 'name' | 'classType'): string[] {
  const on = new Set(row.interfaces.map(({ vlanId }) => plan.vlans.find((vlan) => vlan.id === vlanId)?.fabricId));
  return plan.fabrics.filter((fabric) => on.has(fabric.id)).flatMap((fabric) => fabric[field] ?? []);
}
