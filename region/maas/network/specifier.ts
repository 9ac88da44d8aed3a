import { badRequest, forbidden, noMatch } from '../wire/errors.ts';
import {
  type Atlas,
  type Fabric,
  fabricName,
  type Space,
  type Subnet,
  spaceNameOf,
  UNDEFINED_SPACE,
  type Vlan,
} from './atlas.ts';
import { addressInCidr, cidrContaining } from './cidr.ts';

/**
 * Specifiers of allocate-constraints §5: `[operator][type:]value`. Separate values are OR by default; inside one
 * comma-separated text they are AND. Operators: `|` or, `&` and, `!` / `not_` and-not.
 */
type Find<Row> = (atlas: Atlas, item: string) => Row[];

interface Term {
  operator: 'or' | 'and' | 'not';
  item: string;
}

function termOf(text: string, standard: 'or' | 'and'): Term {
  const item = text.trim();
  if (item.startsWith('|')) return { operator: 'or', item: item.slice(1) };
  if (item.startsWith('&')) return { operator: 'and', item: item.slice(1) };
  if (item.startsWith('!')) return { operator: 'not', item: item.slice(1) };
  if (item.startsWith('not_')) return { operator: 'not', item: item.slice(4) };
  return { operator: standard, item };
}

function resolve<Row extends { id: number }>(
  atlas: Atlas,
  all: ReadonlyMap<number, Row>,
  terms: readonly Term[],
  find: Find<Row>,
): Row[] {
  let chosen: Set<number> | null = null;
  for (const term of terms) {
    const found = new Set(find(atlas, term.item).map((row) => row.id));
    const before: Set<number> = chosen ?? (term.operator === 'or' ? new Set() : new Set(all.keys()));
    if (term.operator === 'or') chosen = new Set([...before, ...found]);
    else if (term.operator === 'and') chosen = new Set([...before].filter((id) => found.has(id)));
    else chosen = new Set([...before].filter((id) => !found.has(id)));
  }
  return [...all.values()].filter((row) => chosen?.has(row.id));
}

/** Values of a repeated parameter: OR between them. */
export function resolveValues<Row extends { id: number }>(
  atlas: Atlas,
  all: ReadonlyMap<number, Row>,
  values: readonly string[],
  find: Find<Row>,
): Row[] {
  return resolve(
    atlas,
    all,
    values.map((value) => termOf(value, 'or')),
    find,
  );
}

/** One object named in a path: 404 for none, 403 for several. */
export function resolveOne<Row extends { id: number }>(
  atlas: Atlas,
  all: ReadonlyMap<number, Row>,
  text: string,
  find: Find<Row>,
  model: string,
): Row {
  const terms = text.split(',').map((item) => termOf(item, 'and'));
  const rows = resolve(atlas, all, terms, find);
  if (rows.length > 1) throw forbidden(`Too many ${model} objects match the given query.`);
  const [row] = rows;
  if (row === undefined) throw noMatch(model);
  return row;
}

const idOf = (value: string, prefix: string): number | null => {
  const match = new RegExp(`^(?:${prefix}-)?(\\d{1,9})$`).exec(value);
  return match?.[1] === undefined ? null : Number(match[1]);
};

function byId<Row>(all: ReadonlyMap<number, Row>, id: number): Row[] {
  const row = all.get(id);
  return row === undefined ? [] : [row];
}

/** Splits at the first colon when the word before it is a known type; otherwise everything is the value. */
function typed(item: string, types: readonly string[]): { type: string | null; value: string } {
  const at = item.indexOf(':');
  const type = at < 0 ? null : item.slice(0, at);
  return type !== null && types.includes(type) ? { type, value: item.slice(at + 1) } : { type: null, value: item };
}

export const findSubnets: Find<Subnet> = (atlas, item) => {
  const { type, value } = typed(item, ['cidr', 'fabric', 'id', 'ip', 'name', 'space', 'vid', 'vlan']);
  const rows = [...atlas.subnets.values()];
  switch (type) {
    case 'cidr':
      return rows.filter((row) => row.cidr === cidrContaining(value));
    case 'id':
      return byId(atlas.subnets, Number(value));
    case 'ip':
      return rows.filter((row) => addressInCidr(value, row.cidr));
    case 'name':
      return rows.filter((row) => row.name === value);
    case 'space':
      return inVlans(
        rows,
        [...atlas.vlans.values()].filter((vlan) => inSpace(atlas, vlan, value)),
      );
    case 'vid':
      return inVlans(rows, withVid(atlas, value));
    case 'vlan':
      return inVlans(rows, findVlans(atlas, value));
    case 'fabric':
      return inVlans(rows, inFabrics(atlas, findFabrics(atlas, value)));
    default: {
      const id = idOf(value, 'subnet');
      if (id !== null) return byId(atlas.subnets, id);
      const cidr = cidrContaining(value);
      return rows.filter((row) => (cidr === null ? row.name === value : row.cidr === cidr));
    }
  }
};

export const findVlans: Find<Vlan> = (atlas, item) => {
  const { type, value } = typed(item, ['fabric', 'id', 'name', 'space', 'subnet', 'vid']);
  const rows = [...atlas.vlans.values()];
  switch (type) {
    case 'id':
      return byId(atlas.vlans, Number(value));
    case 'name':
      return rows.filter((row) => row.name === value);
    case 'vid':
      return withVid(atlas, value);
    case 'space':
      return rows.filter((row) => inSpace(atlas, row, value));
    case 'fabric':
      return inFabrics(atlas, findFabrics(atlas, value));
    case 'subnet': {
      const ids = new Set(findSubnets(atlas, value).map((subnet) => subnet.vlan_id));
      return rows.filter((row) => ids.has(row.id));
    }
    default:
      if (value === 'untagged' || /^\d+$/.test(value)) return withVid(atlas, value);
      return rows.filter((row) => row.name === value);
  }
};

export const findFabrics: Find<Fabric> = (atlas, item) => {
  const { type, value } = typed(item, ['name', 'class']);
  const rows = [...atlas.fabrics.values()];
  if (type === 'class') return rows.filter((row) => row.class_type === value);
  const id = type === null ? idOf(value, 'fabric') : null;
  return id === null ? rows.filter((row) => fabricName(row) === value) : byId(atlas.fabrics, id);
};

export const findSpaces: Find<Space> = (atlas, item) => {
  const { type, value } = typed(item, ['name', 'subnet']);
  const rows = [...atlas.spaces.values()];
  if (type === 'subnet') {
    const vlans = new Set(findSubnets(atlas, value).map((subnet) => subnet.vlan_id));
    const ids = new Set([...atlas.vlans.values()].filter((vlan) => vlans.has(vlan.id)).map((vlan) => vlan.space_id));
    return rows.filter((row) => ids.has(row.id));
  }
  const id = type === null ? idOf(value, 'space') : null;
  return id === null ? rows.filter((row) => row.name === value) : byId(atlas.spaces, id);
};

function inSpace(atlas: Atlas, vlan: Vlan, value: string): boolean {
  if (value === UNDEFINED_SPACE || value === '-1') return vlan.space_id === null;
  if (vlan.space_id === null) return false;
  return (
    findSpaces(atlas, value).some((space) => space.id === vlan.space_id) && spaceNameOf(atlas, vlan) !== UNDEFINED_SPACE
  );
}

function withVid(atlas: Atlas, value: string): Vlan[] {
  const vid = value === 'untagged' ? 0 : Number(value);
  if (!Number.isInteger(vid) || vid < 0 || vid > 4094)
    throw badRequest('VLAN tag (VID) out of range (0-4094; 0 for untagged.)');
  return [...atlas.vlans.values()].filter((vlan) => vlan.vid === vid);
}

function inFabrics(atlas: Atlas, fabrics: readonly Fabric[]): Vlan[] {
  const ids = new Set(fabrics.map((fabric) => fabric.id));
  return [...atlas.vlans.values()].filter((vlan) => ids.has(vlan.fabric_id));
}

function inVlans(rows: readonly Subnet[], vlans: readonly Vlan[]): Subnet[] {
  const ids = new Set(vlans.map((vlan) => vlan.id));
  return rows.filter((row) => ids.has(row.vlan_id));
}
