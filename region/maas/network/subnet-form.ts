import type { UserCall } from '../table.ts';
import { collectErrors, invalidField } from '../wire/errors.ts';
import { checkbox, formInteger, narrowBoolean, splitWords } from '../wire/scalars.ts';
import { allOf, has, lastOf, textOf } from '../wire/values.ts';
import { type Atlas, type Subnet, vlansOfFabric } from './atlas.ts';
import { addressInCidr, cidrContaining, isAddress } from './cidr.ts';

const UNKNOWN = 'Select a valid choice. That choice is not one of the available choices.';

/** Columns of a subnet that a form sets. */
export interface SubnetFields {
  cidr?: string;
  name?: string;
  description?: string;
  vlan_id?: number;
  gateway_ip?: string | null;
  dns_servers?: string[];
  rdns_mode?: number;
  allow_dns?: boolean;
  allow_proxy?: boolean;
  active_discovery?: boolean;
  managed?: boolean;
  disabled_boot_architectures?: string[];
}

/** Columns that a subnet form sets. `before` null: create. Absent keys keep their value. */
export function subnetFields(call: UserCall, atlas: Atlas, before: Subnet | null): SubnetFields {
  const { values } = call;
  const errors = collectErrors();
  const fields: SubnetFields = {};
  const cidrText = textOf(values, 'cidr');
  const cidr = cidrText === undefined ? before?.cidr : (cidrContaining(cidrText) ?? undefined);
  if (cidr === undefined)
    errors.add('cidr', cidrText === undefined ? 'This field is required.' : 'Required format: <network>/<prefixlen>.');
  else fields.cidr = cidr;
  const name = lastOf(values, 'name');
  if (name !== undefined || before === null) fields.name = name === undefined || name === '' ? (cidr ?? '') : name;
  const description = lastOf(values, 'description');
  if (description !== undefined) fields.description = description;
  const vlan = vlanOf(call, atlas);
  if (vlan !== undefined) fields.vlan_id = vlan;
  else if (before === null) fields.vlan_id = vlansOfFabric(atlas, 0).find((candidate) => candidate.vid === 0)?.id;
  const gateway = lastOf(values, 'gateway_ip');
  if (gateway !== undefined) {
    if (gateway === '') fields.gateway_ip = null;
    else if (!isAddress(gateway)) errors.add('gateway_ip', 'Enter a valid IPv4 or IPv6 address.');
    else if (cidr !== undefined && !addressInCidr(gateway, cidr)) {
      errors.add('gateway_ip', 'Gateway IP must be within CIDR range.');
    } else fields.gateway_ip = gateway;
  }
  if (has(values, 'dns_servers')) {
    const servers = splitWords(allOf(values, 'dns_servers'));
    const wrong = servers.filter((server) => !isAddress(server));
    for (const server of wrong)
      errors.add('dns_servers', `Invalid IP address: ${server}; provide a list of space-separated IP addresses`);
    fields.dns_servers = servers;
  }
  const rdns = formInteger(values, 'rdns_mode', { min: 0, max: 2 });
  if (rdns !== undefined) fields.rdns_mode = rdns;
  fields.allow_dns = narrowBoolean(values, 'allow_dns', before?.allow_dns ?? true);
  fields.allow_proxy = narrowBoolean(values, 'allow_proxy', before?.allow_proxy ?? true);
  fields.active_discovery = checkbox(values, 'active_discovery', before?.active_discovery ?? false);
  fields.managed = checkbox(values, 'managed', before?.managed ?? true);
  if (has(values, 'disabled_boot_architectures')) {
    fields.disabled_boot_architectures = splitWords(allOf(values, 'disabled_boot_architectures'));
  }
  errors.throwIfAny();
  return fields;
}

/** `vlan` (id), or `fabric` and `vid`. */
function vlanOf(call: UserCall, atlas: Atlas): number | undefined {
  const id = formInteger(call.values, 'vlan');
  if (id !== undefined) {
    if (!atlas.vlans.has(id)) throw invalidField('vlan', UNKNOWN);
    return id;
  }
  const fabric = formInteger(call.values, 'fabric');
  const vid = formInteger(call.values, 'vid', { min: 0, max: 4094 });
  if (fabric === undefined && vid === undefined) return undefined;
  if (fabric !== undefined && !atlas.fabrics.has(fabric)) throw invalidField('fabric', UNKNOWN);
  const found = vlansOfFabric(atlas, fabric ?? 0).find((candidate) => candidate.vid === (vid ?? 0));
  if (found === undefined) throw invalidField('vid', `No VLAN with VID ${vid ?? 0} in that fabric.`);
  return found.id;
}
