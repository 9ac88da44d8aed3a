import type { Updateable } from 'kysely';
import type { VlansTable } from '../../store/schema.ts';
import type { UserCall } from '../table.ts';
import { invalidField, invalidForm, MaasError } from '../wire/errors.ts';
import { checkbox, formInteger } from '../wire/scalars.ts';
import { has, lastOf, textOf } from '../wire/values.ts';
import type { Atlas, Vlan } from './atlas.ts';
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
    const target = id === null ? null : atlas.vlans.get(id);
    // A VLAN that is relayed itself, like one that does not exist, is no choice.
    if (target === undefined || (target !== null && target.relay_vlan_id !== null)) {
      throw invalidField('relay_vlan', UNKNOWN);
    }
    fields.relay_vlan_id = id;
  }
  for (const field of ['primary_rack', 'secondary_rack'] as const) {
    const rack = lastOf(values, field);
    if (rack === undefined) continue;
    fields[field] = rack === '' ? null : await knownRack(call, field, rack);
  }
  return fields;
}

/**
 * What DHCP needs on a VLAN that is there already (network-and-storage-model A1): turning it on needs a rack and a dynamic
 * range, and takes the relay away; a relay and DHCP exclude each other. Returns the fields with what follows from them.
 */
export async function withDhcpRules(
  call: UserCall,
  vlan: Vlan,
  fields: Updateable<VlansTable>,
): Promise<Updateable<VlansTable>> {
  const next = { ...fields };
  if (next.relay_vlan_id === vlan.id) throw invalidField('relay_vlan', UNKNOWN);
  if (next.primary_rack === null && next.secondary_rack === undefined && vlan.secondary_rack !== null) {
    next.primary_rack = vlan.secondary_rack;
    next.secondary_rack = null;
  }
  const primary = next.primary_rack === undefined ? vlan.primary_rack : next.primary_rack;
  const secondary = next.secondary_rack === undefined ? vlan.secondary_rack : next.secondary_rack;
  if (secondary !== null && secondary === primary) {
    throw invalidField('secondary_rack', 'The primary and secondary rack must be different.');
  }
  if (next.dhcp_on === true) {
    next.relay_vlan_id = null;
    next.dhcp_proxy = false;
    if (!vlan.dhcp_on) {
      const problems = [];
      if (primary === null) problems.push('dhcp can only be turned on when a primary rack controller is set.');
      if (!(await hasDynamicRange(call, vlan.id))) {
        problems.push('dhcp can only be turned on when a dynamic IP range is defined.');
      }
      if (problems.length > 0) throw invalidForm({ dhcp_on: problems });
    }
  } else if (typeof next.relay_vlan_id === 'number') {
    const on = next.dhcp_on ?? vlan.dhcp_on;
    if (on) throw invalidField('relay_vlan', "'relay_vlan' cannot be set when dhcp is on.");
    next.dhcp_proxy = false;
  }
  return next;
}

async function hasDynamicRange(call: UserCall, vlanId: number): Promise<boolean> {
  const range = await call.deps.db
    .selectFrom('address_spans as a')
    .innerJoin('subnets as s', 's.id', 'a.subnet_id')
    .select('a.id')
    .where('s.vlan_id', '=', vlanId)
    .where('a.kind', '=', 'dynamic-range')
    .executeTakeFirst();
  return range !== undefined;
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
