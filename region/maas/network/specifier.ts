import type { NetworkPlan } from '@ingot/core/allocate/candidate.ts';
import {
  resolveFabrics,
  resolveSpaces,
  resolveSubnets,
  resolveVlans,
  type SpecifierResult,
} from '@ingot/core/allocate/specifier.ts';
import { badRequest, forbidden, noMatch } from '../wire/errors.ts';
import type { Atlas } from './atlas.ts';

export type Resolve = (plan: NetworkPlan, values: readonly string[]) => SpecifierResult;

export const findSubnets: Resolve = resolveSubnets;
export const findVlans: Resolve = resolveVlans;
export const findFabrics: Resolve = resolveFabrics;
export const findSpaces: Resolve = resolveSpaces;

/** The atlas as core's specifiers and constraints want it. */
export function planOf(atlas: Atlas): NetworkPlan {
  return {
    subnets: [...atlas.subnets.values()].map(({ id, name, cidr, vlan_id }) => ({ id, name, cidr, vlanId: vlan_id })),
    vlans: [...atlas.vlans.values()].map(({ id, vid, name, fabric_id, space_id }) => ({
      id,
      vid,
      name,
      fabricId: fabric_id,
      spaceId: space_id,
    })),
    fabrics: [...atlas.fabrics.values()].map(({ id, name, class_type }) => ({ id, name, classType: class_type })),
    spaces: [...atlas.spaces.values()].map(({ id, name }) => ({ id, name })),
  };
}

/** One object named in a path: 404 for none, 403 for several, 400 for a malformed specifier. */
export function resolveOne<Row extends { id: number }>(
  atlas: Atlas,
  all: ReadonlyMap<number, Row>,
  text: string,
  find: Resolve,
  model: string,
): Row {
  const result = find(planOf(atlas), [text]);
  if (!result.ok) throw badRequest(result.error);
  const rows = result.ids.flatMap((id) => all.get(id) ?? []);
  if (rows.length > 1) throw forbidden(`Too many ${model} objects match the given query.`);
  const [row] = rows;
  if (row === undefined) throw noMatch(model);
  return row;
}
