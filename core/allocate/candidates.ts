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
  const checks = CHECKS.filter(({ name }) => constraints[name] !== undefined);
  // Thousands of machines are asked, most of them in vain: what most of them lack first. Why is found out in order.
  const place = ({ name }: Check) => (QUICK.includes(name) ? QUICK.indexOf(name) : QUICK.length);
  const ordered = checks.toSorted((one, other) => place(one) - place(other)).map(({ meets }) => meets);
  const { storage: asked, interfaces: labels } = constraints;
  const why = (row: CandidateRow) => (): string =>
    checks.find(({ meets }) => !meets(row, constraints, plan))?.lack(row, constraints, plan) ?? '';
  const fits = (row: CandidateRow): boolean => {
    for (const meets of ordered) if (!meets(row, constraints, plan)) return false;
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

interface Check {
  name: ConstraintName;
  /** Asked only where the constraint is there. */
  meets(row: CandidateRow, constraints: Constraints, plan: NetworkPlan): boolean;
  /** What a machine that does not meet it lacks. */
  lack(row: CandidateRow, constraints: Constraints, plan: NetworkPlan): string;
}

type NamesOf<Value> = {
  [Name in ConstraintName]-?: Constraints[Name] extends Value | undefined ? Name : never;
}[ConstraintName];
/** Constraints that list texts, or ids. */
type ListName = NamesOf<string[] | number[]>;
type NumberName = NamesOf<number>;

const missing = (wanted: string, has: string) => `${wanted}, but it has ${has === '' ? 'none' : has}`;

/** As the machine has it, whatever the constraint compares: a list of texts is compared with texts, one of ids with ids. */
type ValuesOf = (row: CandidateRow, plan: NetworkPlan) => readonly (string | number)[];

const listed = (constraints: Constraints, name: ListName): readonly (string | number)[] => constraints[name] ?? [];

/** The one value that a machine has is among those asked for. */
function oneOf(name: ListName, value: (row: CandidateRow) => string | null): Check {
  return {
    name,
    meets: (row, constraints) => {
      const has = value(row);
      return has !== null && listed(constraints, name).includes(has);
    },
    lack: (row, constraints) => missing(`${name}=${listed(constraints, name).join(',')}`, value(row) ?? ''),
  };
}

/** At least one of those asked for. */
function anyOf(name: ListName, values: ValuesOf): Check {
  return {
    name,
    meets: (row, constraints, plan) => {
      const has = values(row, plan);
      return listed(constraints, name).some((wanted) => has.includes(wanted));
    },
    lack: (row, constraints, plan) =>
      missing(`${name}=${listed(constraints, name).join(',')}`, values(row, plan).join(',')),
  };
}

/** Every one that is asked for. */
function allOf(name: ListName, values: ValuesOf): Check {
  return {
    name,
    meets: (row, constraints, plan) => {
      const has = values(row, plan);
      return listed(constraints, name).every((wanted) => has.includes(wanted));
    },
    lack: (row, constraints, plan) => {
      const has = values(row, plan);
      const lacking = listed(constraints, name).filter((wanted) => !has.includes(wanted));
      return missing(`${name}=${lacking.join(',')}`, has.join(','));
    },
  };
}

/** None of those named. */
function noneOf(name: ListName, values: ValuesOf): Check {
  const found = (row: CandidateRow, constraints: Constraints, plan: NetworkPlan) => {
    const has = values(row, plan);
    return listed(constraints, name).find((unwanted) => has.includes(unwanted));
  };
  return {
    name,
    meets: (row, constraints, plan) => found(row, constraints, plan) === undefined,
    lack: (row, constraints, plan) => {
      const value = String(found(row, constraints, plan));
      return missing(`${name}=${value}`, value);
    },
  };
}

function atLeast(name: NumberName, value: (row: CandidateRow) => number): Check {
  return {
    name,
    meets: (row, constraints) => value(row) >= (constraints[name] ?? 0),
    lack: (row, constraints) => missing(`${name}=${constraints[name]}`, String(value(row))),
  };
}

/** A machine has two names, and each that is asked for has to be one of them. */
const NAME: Check = {
  name: 'name',
  meets: ({ hostname, fqdn }, { name = [] }) => name.every((one) => one === hostname || one === fqdn),
  lack: ({ hostname, fqdn }, { name = [] }) =>
    missing(`name=${name.find((one) => one !== hostname && one !== fqdn)}`, fqdn),
};

/** In the order of the reference: positive filters, then negative ones. */
const CHECKS: readonly Check[] = [
  NAME,
  oneOf('system_id', (row) => row.systemId),
  oneOf('arch', (row) => row.architecture),
  atLeast('cpu_count', (row) => row.cpuCount),
  atLeast('cpu_speed', (row) => row.cpuSpeed),
  atLeast('mem', (row) => row.memory),
  atLeast('link_speed', (row) => Math.max(0, ...row.interfaces.map((nic) => nic.linkSpeed))),
  allOf('tags', (row) => row.tags),
  oneOf('zone', (row) => row.zone.name),
  oneOf('pool', (row) => row.pool.name),
  oneOf('owner', (row) => row.owner),
  oneOf('power_state', (row) => row.powerState),
  oneOf('deployment_target', targetOf),
  anyOf('fabrics', (row, plan) => fabricsOf(row, plan, 'name')),
  anyOf('fabric_classes', (row, plan) => fabricsOf(row, plan, 'classType')),
  allOf('subnets', subnetsOf),
  anyOf('vlans', vlansOf),
  noneOf('not_arch', (row) => [row.architecture]),
  noneOf('not_tags', (row) => row.tags),
  noneOf('not_in_zone', (row) => [row.zone.name]),
  noneOf('not_in_pool', (row) => [row.pool.name]),
  noneOf('not_owner', (row) => (row.owner === null ? [] : [row.owner])),
  noneOf('not_power_state', (row) => [row.powerState]),
  noneOf('not_deployment_target', (row) => [targetOf(row)]),
  noneOf('not_fabrics', (row, plan) => fabricsOf(row, plan, 'name')),
  noneOf('not_fabric_classes', (row, plan) => fabricsOf(row, plan, 'classType')),
  noneOf('not_subnets', subnetsOf),
  noneOf('not_vlans', vlansOf),
];

function targetOf(row: CandidateRow): string {
  return row.ephemeralDeploy ? 'memory' : 'disk';
}

function subnetsOf(row: CandidateRow): number[] {
  return row.interfaces.flatMap((nic) => nic.links.flatMap(({ subnetId }) => (subnetId === null ? [] : [subnetId])));
}

function vlansOf(row: CandidateRow): number[] {
  return row.interfaces.flatMap(({ vlanId }) => (vlanId === null ? [] : [vlanId]));
}

function fabricsOf(row: CandidateRow, plan: NetworkPlan, field: 'name' | 'classType'): string[] {
  const on = new Set(row.interfaces.map(({ vlanId }) => plan.vlans.find((vlan) => vlan.id === vlanId)?.fabricId));
  return plan.fabrics.filter((fabric) => on.has(fabric.id)).flatMap((fabric) => fabric[field] ?? []);
}
