import type { CandidateRow, NetworkPlan } from './candidate.ts';
import type { Constraints } from './constraints.ts';
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
  for (const row of rows) {
    const why = reasonAgainst(row, constraints, plan);
    if (why !== null) {
      rejected.set(row.systemId, why);
      continue;
    }
    const storage = constraints.storage && matchStorage(row.disks, constraints.storage.groups);
    const interfaces = constraints.interfaces && matchInterfaces(row, plan, constraints.interfaces.labels);
    if (storage === null) rejected.set(row.systemId, `storage=${constraints.storage?.text}: no fitting devices`);
    else if (interfaces === null) {
      rejected.set(row.systemId, `interfaces=${constraints.interfaces?.text}: a label is served by no interface`);
    } else {
      const labelled = storage !== undefined && Object.keys(storage).length > 0;
      ordered.push({ row, byType: { ...(labelled ? { storage } : {}), ...(interfaces ? { interfaces } : {}) } });
    }
  }
  ordered.sort((a, b) => costOf(a.row) - costOf(b.row) || a.row.id - b.row.id);
  return { ordered, rejected };
}

type Check = (row: CandidateRow, constraints: Constraints, plan: NetworkPlan) => string | null;

const missing = (wanted: string, has: string) => `${wanted}, but it has ${has === '' ? 'none' : has}`;

function oneOf(name: keyof Constraints, value: string | null, wanted: readonly string[] | undefined): string | null {
  if (wanted === undefined || (value !== null && wanted.includes(value))) return null;
  return missing(`${name}=${wanted.join(',')}`, value ?? '');
}
function noneOf(name: keyof Constraints, has: readonly string[], unwanted: readonly string[] | undefined) {
  const found = unwanted?.find((value) => has.includes(value));
  return found === undefined ? null : missing(`${name}=${found}`, found);
}
function atLeast(name: keyof Constraints, has: number, wanted: number | undefined): string | null {
  return wanted === undefined || has >= wanted ? null : missing(`${name}=${wanted}`, String(has));
}

/** In the order of the reference: positive filters, then negative ones. */
const CHECKS: readonly Check[] = [
  (row, { name }) => {
    const wrong = name?.find((one) => one !== row.hostname && one !== row.fqdn);
    return wrong === undefined ? null : missing(`name=${wrong}`, row.fqdn);
  },
  (row, { system_id }) => oneOf('system_id', row.systemId, system_id),
  (row, { arch }) => oneOf('arch', row.architecture, arch),
  (row, { cpu_count }) => atLeast('cpu_count', row.cpuCount, cpu_count),
  (row, { cpu_speed }) => atLeast('cpu_speed', row.cpuSpeed, cpu_speed),
  (row, { mem }) => atLeast('mem', row.memory, mem),
  (row, { link_speed }) =>
    atLeast('link_speed', Math.max(0, ...row.interfaces.map((nic) => nic.linkSpeed)), link_speed),
  (row, { tags }) => {
    const lacking = tags?.filter((tag) => !row.tags.includes(tag)) ?? [];
    return lacking.length === 0 ? null : missing(`tags=${lacking.join(',')}`, row.tags.join(','));
  },
  (row, { zone }) => oneOf('zone', row.zone.name, zone),
  (row, { pool }) => oneOf('pool', row.pool.name, pool),
  (row, { owner }) => oneOf('owner', row.owner, owner),
  (row, { power_state }) => oneOf('power_state', row.powerState, power_state),
  (row, { deployment_target }) => oneOf('deployment_target', targetOf(row), deployment_target),
  (row, { fabrics }, plan) => anyOf('fabrics', fabricsOf(row, plan, 'name'), fabrics),
  (row, { fabric_classes }, plan) => anyOf('fabric_classes', fabricsOf(row, plan, 'classType'), fabric_classes),
  (row, { subnets }) => {
    const linked = subnetsOf(row);
    const lacking = subnets?.filter((id) => !linked.includes(id)) ?? [];
    return lacking.length === 0 ? null : missing(`subnets=${lacking.join(',')}`, linked.join(','));
  },
  (row, { vlans }) => anyOf('vlans', vlansOf(row), vlans?.map(String)),
  (row, { not_arch }) => noneOf('not_arch', [row.architecture], not_arch),
  (row, { not_tags }) => noneOf('not_tags', row.tags, not_tags),
  (row, { not_in_zone }) => noneOf('not_in_zone', [row.zone.name], not_in_zone),
  (row, { not_in_pool }) => noneOf('not_in_pool', [row.pool.name], not_in_pool),
  (row, { not_owner }) => noneOf('not_owner', row.owner === null ? [] : [row.owner], not_owner),
  (row, { not_power_state }) => noneOf('not_power_state', [row.powerState], not_power_state),
  (row, { not_deployment_target }) => noneOf('not_deployment_target', [targetOf(row)], not_deployment_target),
  (row, { not_fabrics }, plan) => noneOf('not_fabrics', fabricsOf(row, plan, 'name'), not_fabrics),
  (row, c, plan) => noneOf('not_fabric_classes', fabricsOf(row, plan, 'classType'), c.not_fabric_classes),
  (row, { not_subnets }) => noneOf('not_subnets', subnetsOf(row).map(String), not_subnets?.map(String)),
  (row, { not_vlans }) => noneOf('not_vlans', vlansOf(row), not_vlans?.map(String)),
];

/** The first constraint the machine does not meet, storage and interfaces apart; null when it meets all. */
function reasonAgainst(row: CandidateRow, constraints: Constraints, plan: NetworkPlan): string | null {
  for (const check of CHECKS) {
    const why = check(row, constraints, plan);
    if (why !== null) return why;
  }
  return null;
}

function anyOf(name: keyof Constraints, has: readonly string[], wanted: readonly string[] | undefined): string | null {
  if (wanted === undefined || wanted.some((value) => has.includes(value))) return null;
  return missing(`${name}=${wanted.join(',')}`, has.join(','));
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
