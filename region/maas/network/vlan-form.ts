import type { Updateable } from 'kysely';
import type { VlansTable } from '../../store/schema.ts';
import type { UserCall } from '../table.ts';
import { invalidField, MaasError } from '../wire/errors.ts';
import { checkbox, formInteger } from '../wire/scalars.ts';
import { has, lastOf, textOf } from '../wire/values.ts';
import type { Atlas } from './atlas.ts';
import { findFabrics, findSpaces, resolveOne } from './specifier.ts';

const UNKNOWN = 'Select a valid choice. That choice is not one of the available choices.';

/** An object named in a form field: unknown and ambiguous are both 400 under the field. */
export function chosen<Row>(field: string, find: () => Row): Row {
  try {
    return find();
  } catch (error) {
    if (error instanceof MaasError) throw invalidField(field, UNKNOWN);
    throw error;
  }
}

/** Columns that a VLAN form sets; absent keys keep their value. */
export async function vlanFields(call: UserCall, atlas: Atlas): Promise<Updateable<VlansTable>> {
  const { values } = call;
  const fields: Updateable<VlansTable> = {
    vid: formInteger(values, 'vid', { min: 0, max: 4094 }),
    mtu: formInteger(values, 'mtu', { min: 552, max: 65_535 }),
  };
  const name = lastOf(values, 'name');
  if (name !== undefined) fields.name = name === '' ? null : name;
  const description = lastOf(values, 'description');
  if (description !== undefined) fields.description = description;
  if (has(values, 'dhcp_on')) fields.dhcp_on = checkbox(values, 'dhcp_on');
  const space = lastOf(values, 'space');
  if (space !== undefined) {
    const none = space === '' || space === 'undefined' || space === '-1';
    fields.space_id = none
      ? null
      : chosen('space', () => resolveOne(atlas, atlas.spaces, space, findSpaces, 'Space').id);
  }
  const fabric = textOf(values, 'fabric');
  if (fabric !== undefined) {
    fields.fabric_id = chosen('fabric', () => resolveOne(atlas, atlas.fabrics, fabric, findFabrics, 'Fabric').id);
  }
  const relay = lastOf(values, 'relay_vlan');
  if (relay !== undefined) {
    const id = formInteger(values, 'relay_vlan') ?? null;
    if (id !== null && !atlas.vlans.has(id)) throw invalidField('relay_vlan', UNKNOWN);
    fields.relay_vlan_id = id;
  }
  for (const field of ['primary_rack', 'secondary_rack'] as const) {
    const rack = lastOf(values, field);
    if (rack === undefined) continue;
    fields[field] = rack === '' ? null : await knownRack(call, field, rack);
  }
  return fields;
}

async function knownRack(call: UserCall, field: string, text: string): Promise<string> {
  const rack = await call.deps.db
    .selectFrom('racks')
    .select('system_id')
    .where((eb) => eb.or([eb('system_id', '=', text), eb('name', '=', text)]))
    .executeTakeFirst();
  if (rack === undefined) throw invalidField(field, UNKNOWN);
  return rack.system_id;
}
