import type { CandidateInterface, CandidateRow, NetworkPlan } from './candidate.ts';
import {
  NO_SPACE,
  networkText,
  resolveFabrics,
  resolveSpaces,
  resolveSubnets,
  resolveVlans,
  type SpecifierResult,
} from './specifier.ts';

/** One label of `interfaces`: an interface serves it when every condition holds. */
export interface LabelledInterface {
  label: string;
  conditions: Condition[];
}
interface Condition {
  key: string;
  not: boolean;
  values: string[];
}

const KEYS = [
  'id',
  'fabric',
  'fabric_class',
  'ip',
  'mode',
  'name',
  'hostname',
  'subnet',
  'space',
  'subnet_cidr',
  'type',
  'vlan',
  'vid',
  'tag',
  'link_speed',
];
const NOT_NEGATED = ['type', 'mode', 'link_speed'];

export type ParsedInterfaces = { ok: true; labels: LabelledInterface[] } | { ok: false; error: string };

/** `label:key=value,key=value;label2:…` */
export function parseInterfaces(text: string): ParsedInterfaces {
  // Upstream takes a text of one character for an empty one.
  if (text.length <= 1) return { ok: true, labels: [] };
  const bad = (why: string): ParsedInterfaces => ({ ok: false, error: `Malformed constraint, "${text}": ${why}` });
  const labels: LabelledInterface[] = [];
  for (const part of text.split(';')) {
    const colon = part.indexOf(':');
    const label = part.slice(0, Math.max(colon, 0));
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_-]*$/.test(label)) return bad('each part must begin with "label:".');
    if (labels.some((one) => one.label === label)) return bad(`label "${label}" is defined twice.`);
    const conditions: Condition[] = [];
    for (const pair of part.slice(colon + 1).split(',')) {
      const equals = pair.indexOf('=');
      if (equals < 1) return bad(`"${pair}" is not key=value.`);
      const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
      const not = name.startsWith('not_');
      const key = not ? name.slice(4) : name;
      if (!KEYS.includes(key) || (not && NOT_NEGATED.includes(key))) return bad(`unknown key "${name}".`);
      const wrong = wrongValue(key, value);
      if (wrong !== null) return bad(wrong);
      const known = conditions.find((one) => one.key === key && one.not === not);
      if (known) known.values.push(value);
      else conditions.push({ key, not, values: [value] });
    }
    labels.push({ label, conditions });
  }
  return { ok: true, labels };
}

function wrongValue(key: string, value: string): string | null {
  if (key === 'mode' && value !== 'unconfigured') return 'mode can only be "unconfigured".';
  if (key === 'link_speed' && !/^\d+(\.\d+)?$/.test(value)) return 'link_speed must be a number.';
  if (key === 'id' && !/^\d+$/.test(value)) return 'id must be a number.';
  if (key === 'subnet_cidr' && networkText(value) === null) return `"${value}" is not a CIDR.`;
  return null;
}

/** First specifier of the labels that cannot be understood, as an error text; null when all can. */
export function specifierError(plan: NetworkPlan, labels: readonly LabelledInterface[]): string | null {
  for (const { conditions } of labels) {
    for (const { key, values } of conditions) {
      const result = resolveKey(plan, key, values);
      if (result !== null && !result.ok) return result.error;
    }
  }
  return null;
}

function resolveKey(plan: NetworkPlan, key: string, values: readonly string[]): SpecifierResult | null {
  switch (key) {
    case 'subnet':
      return resolveSubnets(plan, values);
    case 'space':
      return resolveSpaces(plan, values);
    case 'vlan':
      return resolveVlans(plan, values);
    case 'vid':
      return resolveVlans(
        plan,
        values.map((value) => `vid:${value}`),
      );
    case 'fabric':
      return resolveFabrics(plan, values);
    default:
      return null;
  }
}

/** Label → ids of every interface of the machine that serves it; null when a label is served by none. */
export function matchInterfaces(
  row: CandidateRow,
  plan: NetworkPlan,
  labels: readonly LabelledInterface[],
): Record<string, number[]> | null {
  const match: Record<string, number[]> = {};
  for (const { label, conditions } of labels) {
    const serving = row.interfaces.filter((nic) => conditions.every((one) => holds(row, nic, plan, one)));
    if (serving.length === 0) return null;
    match[label] = serving.map(({ id }) => id);
  }
  return match;
}

function holds(row: CandidateRow, nic: CandidateInterface, plan: NetworkPlan, condition: Condition): boolean {
  return isTrue(row, nic, plan, condition) !== condition.not;
}

/** The key has one of the values. */
function isTrue(row: CandidateRow, nic: CandidateInterface, plan: NetworkPlan, { key, values }: Condition): boolean {
  const vlan = plan.vlans.find((one) => one.id === nic.vlanId);
  const fabric = plan.fabrics.find((one) => one.id === vlan?.fabricId);
  const linked = plan.subnets.filter((subnet) => nic.links.some((link) => link.subnetId === subnet.id));
  const resolved = resolveKey(plan, key, values);
  const chosen = resolved?.ok ? resolved.ids : [];
  switch (key) {
    case 'id':
      return values.includes(String(nic.id));
    case 'name':
      return values.includes(nic.name);
    case 'type':
      return values.includes(nic.type);
    case 'hostname':
      return values.includes(row.hostname);
    case 'ip':
      return nic.links.some((link) => link.ip !== null && values.includes(link.ip));
    case 'mode':
      return nic.links.some((link) => link.ip === null);
    case 'tag':
      return values.some((value) => value.split('&&').every((tag) => nic.tags.includes(tag)));
    case 'link_speed':
      return values.some((value) => nic.linkSpeed >= Number(value));
    case 'subnet':
      return linked.some((subnet) => chosen.includes(subnet.id));
    case 'subnet_cidr':
      return linked.some((subnet) => values.some((value) => networkText(value) === networkText(subnet.cidr)));
    case 'space':
      return linked.some((subnet) => {
        const of = plan.vlans.find((one) => one.id === subnet.vlanId);
        return chosen.includes(of?.spaceId ?? NO_SPACE);
      });
    case 'vlan':
    case 'vid':
      return vlan !== undefined && chosen.includes(vlan.id);
    case 'fabric':
      return fabric !== undefined && chosen.includes(fabric.id);
    case 'fabric_class':
      return fabric?.classType != null && values.includes(fabric.classType);
    default:
      return false;
  }
}
