import ipaddr from 'ipaddr.js';
import type { NetworkPlan } from './candidate.ts';

/**
 * Specifiers, `[operator][type:]value`. Between separate values OR is meant, inside one comma-separated text AND.
 * Operators at the start of an item: `|` or, `&` and, `!` or `not_` and-not.
 */
export type SpecifierResult = { ok: true; ids: number[] } | { ok: false; error: string };
type Find = (plan: NetworkPlan, value: string) => number[];

class BadSpecifier extends Error {}

export const resolveSubnets = (plan: NetworkPlan, values: readonly string[]) =>
  resolve(plan, plan.subnets, values, findSubnets);
export const resolveVlans = (plan: NetworkPlan, values: readonly string[]) =>
  resolve(plan, plan.vlans, values, findVlans);
export const resolveFabrics = (plan: NetworkPlan, values: readonly string[]) =>
  resolve(plan, plan.fabrics, values, findFabrics);
/** `space:undefined` is a subnet specifier; among spaces themselves 0 stands for having none. */
export const resolveSpaces = (plan: NetworkPlan, values: readonly string[]) =>
  resolve(plan, [{ id: NO_SPACE }, ...plan.spaces], values, findSpaces);
export const NO_SPACE = 0;

function resolve(
  plan: NetworkPlan,
  all: readonly { id: number }[],
  values: readonly string[],
  find: Find,
): SpecifierResult {
  let chosen: Set<number> | null = null;
  try {
    for (const value of values) {
      const items = value.split(',').map((item) => item.trim());
      for (const [index, item] of items.entries()) {
        const { operator, text } = operatorOf(item, index === 0 ? 'or' : 'and');
        const found = new Set(find(plan, text));
        const before: Set<number> = chosen ?? new Set(operator === 'or' ? [] : all.map(({ id }) => id));
        if (operator === 'or') chosen = new Set([...before, ...found]);
        else if (operator === 'and') chosen = new Set([...before].filter((id) => found.has(id)));
        else chosen = new Set([...before].filter((id) => !found.has(id)));
      }
    }
  } catch (error) {
    if (error instanceof BadSpecifier) return { ok: false, error: error.message };
    throw error;
  }
  return { ok: true, ids: all.map(({ id }) => id).filter((id) => chosen?.has(id)) };
}

function operatorOf(item: string, standard: 'or' | 'and'): { operator: 'or' | 'and' | 'not'; text: string } {
  if (item.startsWith('|')) return { operator: 'or', text: item.slice(1) };
  if (item.startsWith('&')) return { operator: 'and', text: item.slice(1) };
  if (item.startsWith('!')) return { operator: 'not', text: item.slice(1) };
  if (item.startsWith('not_')) return { operator: 'not', text: item.slice(4) };
  return { operator: standard, text: item };
}

/** A known type before the first colon; an unknown one belongs to the value. */
function typeOf(text: string, known: readonly string[]): [string | null, string] {
  const colon = text.indexOf(':');
  const type = text.slice(0, Math.max(colon, 0));
  return colon > 0 && known.includes(type) ? [type, text.slice(colon + 1)] : [null, text];
}

const ids = <Row extends { id: number }>(rows: readonly Row[], keep: (row: Row) => boolean) =>
  rows.filter(keep).map(({ id }) => id);

/** `12` or `subnet-12`. */
function idOf(text: string, prefix: string): number | null {
  const digits = new RegExp(`^(?:${prefix}-)?(\\d+)$`).exec(text)?.[1];
  return digits === undefined ? null : Number(digits);
}

function vidOf(text: string): number {
  const vid = text === 'untagged' ? 0 : /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(vid >= 0 && vid <= 4094))
    throw new BadSpecifier(`'${text}' is not a VID: a number from 0 to 4094 is required.`);
  return vid;
}

/** The network that a CIDR text means, whichever address of it is given; null when it is none. */
export function networkText(text: string): string | null {
  if (!ipaddr.isValidCIDR(text)) return null;
  const parsed = ipaddr.parseCIDR(text);
  const network = parsed[0].kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  return `${network.networkAddressFromCIDR(text).toString()}/${parsed[1]}`;
}

function contains(cidr: string, ip: string): boolean {
  const [address, network] = [ipaddr.parse(ip), ipaddr.parseCIDR(cidr)];
  return address.kind() === network[0].kind() && address.match(network);
}

const SUBNET_TYPES = ['cidr', 'fabric', 'id', 'ip', 'name', 'space', 'vid', 'vlan', 'interface'] as const;

function findSubnets(plan: NetworkPlan, text: string): number[] {
  const [type, value] = typeOf(text, SUBNET_TYPES);
  const onVlans = (vlans: readonly number[]) => ids(plan.subnets, (subnet) => vlans.includes(subnet.vlanId));
  switch (type) {
    case null: {
      const id = idOf(value, 'subnet');
      if (id !== null) return ids(plan.subnets, (subnet) => subnet.id === id);
      const network = networkText(value);
      if (network !== null) return ids(plan.subnets, (subnet) => networkText(subnet.cidr) === network);
      return ids(plan.subnets, (subnet) => subnet.name === value);
    }
    case 'id':
      return ids(plan.subnets, (subnet) => subnet.id === idOf(value, 'subnet'));
    case 'cidr': {
      const network = networkText(value);
      if (network === null) throw new BadSpecifier(`'${value}' is not a CIDR.`);
      return ids(plan.subnets, (subnet) => networkText(subnet.cidr) === network);
    }
    case 'ip':
      if (!ipaddr.isValid(value)) throw new BadSpecifier(`'${value}' is not an IP address.`);
      return ids(plan.subnets, (subnet) => contains(subnet.cidr, value));
    case 'name':
      return ids(plan.subnets, (subnet) => subnet.name === value);
    case 'vlan':
      return onVlans(findVlans(plan, value));
    case 'vid':
    case 'fabric':
    case 'space':
      return onVlans(findVlans(plan, `${type}:${value}`));
    default:
      throw new BadSpecifier(`Subnets cannot be chosen by ${type} here.`);
  }
}

function findVlans(plan: NetworkPlan, text: string): number[] {
  const [type, value] = typeOf(text, ['fabric', 'id', 'name', 'subnet', 'space', 'vid']);
  switch (type) {
    case 'fabric': {
      const fabrics = findFabrics(plan, value);
      return ids(plan.vlans, (vlan) => fabrics.includes(vlan.fabricId));
    }
    case 'id':
      return ids(plan.vlans, (vlan) => vlan.id === idOf(value, 'vlan'));
    case 'name':
      return ids(plan.vlans, (vlan) => vlan.name === value);
    case 'subnet': {
      const subnets = findSubnets(plan, value);
      const on = plan.subnets.filter((subnet) => subnets.includes(subnet.id)).map(({ vlanId }) => vlanId);
      return ids(plan.vlans, (vlan) => on.includes(vlan.id));
    }
    case 'space': {
      const spaces = findSpaces(plan, value);
      return ids(plan.vlans, (vlan) => spaces.includes(vlan.spaceId ?? NO_SPACE));
    }
    case 'vid': {
      const vid = vidOf(value);
      return ids(plan.vlans, (vlan) => vlan.vid === vid);
    }
    default:
      if (value !== 'untagged' && !/^\d+$/.test(value)) return ids(plan.vlans, (vlan) => vlan.name === value);
      return findVlans(plan, `vid:${value}`);
  }
}

function findSpaces(plan: NetworkPlan, text: string): number[] {
  const [type, value] = typeOf(text, ['name', 'subnet']);
  if (type === 'subnet') {
    const vlans = findVlans(plan, `subnet:${value}`);
    return plan.vlans.filter((vlan) => vlans.includes(vlan.id)).map((vlan) => vlan.spaceId ?? NO_SPACE);
  }
  if (value === 'undefined') return [NO_SPACE];
  const id = type === null ? idOf(value, 'space') : null;
  return id === null ? ids(plan.spaces, (space) => space.name === value) : ids(plan.spaces, (one) => one.id === id);
}

function findFabrics(plan: NetworkPlan, text: string): number[] {
  const [type, value] = typeOf(text, ['name', 'class']);
  if (type === 'class') return ids(plan.fabrics, (fabric) => fabric.classType === value);
  const id = type === null ? idOf(value, 'fabric') : null;
  if (id !== null) return ids(plan.fabrics, (fabric) => fabric.id === id);
  return ids(plan.fabrics, (fabric) => fabric.name === value);
}
