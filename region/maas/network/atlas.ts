import type { Kysely, Selectable } from 'kysely';
import type { FabricsTable, SpacesTable, SubnetsTable, Tables, VlansTable } from '../../store/schema.ts';

export type Fabric = Selectable<FabricsTable>;
export type Vlan = Selectable<VlansTable>;
export type Space = Selectable<SpacesTable>;
export type Subnet = Selectable<SubnetsTable>;

/** The site's network plan in memory: small tables that nearly every object nests. Ordered by id. */
export interface Atlas {
  fabrics: ReadonlyMap<number, Fabric>;
  vlans: ReadonlyMap<number, Vlan>;
  spaces: ReadonlyMap<number, Space>;
  subnets: ReadonlyMap<number, Subnet>;
}

/** The last plan with the rows it was made of. A value made of equal rows is equal, whosever rows they were. */
let latest: { rows: string; atlas: Atlas } | null = null;

/**
 * Four queries, whatever the size. An unchanged plan gives the object of the last time, so that what was made of it
 * (the texts of VLANs and subnets) stays known.
 */
export async function loadAtlas(db: Kysely<Tables>): Promise<Atlas> {
  const all = await Promise.all([
    db.selectFrom('fabrics').selectAll().orderBy('id').execute(),
    db.selectFrom('vlans').selectAll().orderBy('id').execute(),
    db.selectFrom('spaces').selectAll().orderBy('id').execute(),
    db.selectFrom('subnets').selectAll().orderBy('id').execute(),
  ]);
  const rows = JSON.stringify(all);
  if (latest?.rows === rows) return latest.atlas;
  const [fabrics, vlans, spaces, subnets] = all;
  const atlas = { fabrics: byId(fabrics), vlans: byId(vlans), spaces: byId(spaces), subnets: byId(subnets) };
  latest = { rows, atlas };
  return atlas;
}

function byId<Row extends { id: number }>(rows: Row[]): Map<number, Row> {
  return new Map(rows.map((row) => [row.id, row]));
}

export const UNDEFINED_SPACE = 'undefined';

export const fabricName = (fabric: { id: number; name: string | null }): string => fabric.name ?? `fabric-${fabric.id}`;

export function spaceNameOf(atlas: Atlas, vlan: Vlan): string {
  return vlan.space_id === null ? UNDEFINED_SPACE : (atlas.spaces.get(vlan.space_id)?.name ?? UNDEFINED_SPACE);
}

export const vlansOfFabric = (atlas: Atlas, fabricId: number): Vlan[] =>
  [...atlas.vlans.values()].filter((vlan) => vlan.fabric_id === fabricId);

/** Null selects the VLANs that are in no space. */
export const vlansOfSpace = (atlas: Atlas, spaceId: number | null): Vlan[] =>
  [...atlas.vlans.values()].filter((vlan) => vlan.space_id === spaceId);

export function subnetsOfVlans(atlas: Atlas, vlans: readonly Vlan[]): Subnet[] {
  const ids = new Set(vlans.map((vlan) => vlan.id));
  return [...atlas.subnets.values()].filter((subnet) => ids.has(subnet.vlan_id));
}
