import { API_PREFIX } from '../describe.ts';
import { type Json, shared } from '../wire/json.ts';
import {
  type Atlas,
  type Fabric,
  fabricName,
  type Space,
  type Subnet,
  spaceNameOf,
  subnetsOfVlans,
  UNDEFINED_SPACE,
  type Vlan,
  vlansOfFabric,
  vlansOfSpace,
} from './atlas.ts';

type JsonObject = { readonly [key: string]: Json };

/** Objects of an atlas that were made already: nearly every interface of every machine nests one of a few. */
interface Made {
  vlans: Map<Vlan, JsonObject>;
  subnets: Map<Subnet, JsonObject>;
}

const made = new WeakMap<Atlas, Made>();

function madeOf(atlas: Atlas): Made {
  const known = made.get(atlas);
  if (known !== undefined) return known;
  const fresh: Made = { vlans: new Map(), subnets: new Map() };
  made.set(atlas, fresh);
  return fresh;
}

function once<Key>(known: Map<Key, JsonObject>, key: Key, make: () => JsonObject): JsonObject {
  const found = known.get(key);
  if (found !== undefined) return found;
  const object = shared(make());
  known.set(key, object);
  return object;
}

/** VLAN object of api-2.0-objects §5. */
export function vlanObject(atlas: Atlas, vlan: Vlan): JsonObject {
  return once(madeOf(atlas).vlans, vlan, () => makeVlan(atlas, vlan, false));
}

/** A relay is nested one level, relays of relays do not exist. */
function makeVlan(atlas: Atlas, vlan: Vlan, nested: boolean): JsonObject {
  const fabric = atlas.fabrics.get(vlan.fabric_id);
  const relay = vlan.relay_vlan_id === null || nested ? undefined : atlas.vlans.get(vlan.relay_vlan_id);
  return {
    id: vlan.id,
    vid: vlan.vid,
    name: vlan.name ?? (vlan.vid === 0 ? 'untagged' : null),
    fabric: fabricName(fabric ?? { id: vlan.fabric_id, name: null }),
    fabric_id: vlan.fabric_id,
    mtu: vlan.mtu,
    dhcp_on: vlan.dhcp_on,
    external_dhcp: vlan.external_dhcp,
    primary_rack: vlan.primary_rack,
    secondary_rack: vlan.secondary_rack,
    relay_vlan: relay === undefined ? null : makeVlan(atlas, relay, true),
    space: spaceNameOf(atlas, vlan),
    resource_uri: `${API_PREFIX}vlans/${vlan.id}/`,
  };
}

export function fabricObject(atlas: Atlas, fabric: Fabric): JsonObject {
  return {
    id: fabric.id,
    name: fabricName(fabric),
    class_type: fabric.class_type,
    vlans: vlansOfFabric(atlas, fabric.id).map((vlan) => vlanObject(atlas, vlan)),
    resource_uri: `${API_PREFIX}fabrics/${fabric.id}/`,
  };
}

export function subnetObject(atlas: Atlas, subnet: Subnet): JsonObject {
  return once(madeOf(atlas).subnets, subnet, () => makeSubnet(atlas, subnet));
}

function makeSubnet(atlas: Atlas, subnet: Subnet): JsonObject {
  const vlan = atlas.vlans.get(subnet.vlan_id);
  return {
    id: subnet.id,
    name: subnet.name,
    description: subnet.description,
    vlan: vlan === undefined ? null : vlanObject(atlas, vlan),
    space: vlan === undefined ? UNDEFINED_SPACE : spaceNameOf(atlas, vlan),
    cidr: subnet.cidr,
    gateway_ip: subnet.gateway_ip,
    dns_servers: subnet.dns_servers,
    rdns_mode: subnet.rdns_mode,
    active_discovery: subnet.active_discovery,
    allow_dns: subnet.allow_dns,
    allow_proxy: subnet.allow_proxy,
    managed: subnet.managed,
    disabled_boot_architectures: subnet.disabled_boot_architectures,
    resource_uri: `${API_PREFIX}subnets/${subnet.id}/`,
  };
}

export function spaceObject(atlas: Atlas, space: Space): JsonObject {
  const vlans = vlansOfSpace(atlas, space.id);
  return {
    id: space.id,
    name: space.name,
    description: space.description,
    vlans: vlans.map((vlan) => vlanObject(atlas, vlan)),
    subnets: subnetsOfVlans(atlas, vlans).map((subnet) => subnetObject(atlas, subnet)),
    resource_uri: `${API_PREFIX}spaces/${space.id}/`,
  };
}

/** Stands for "in no space"; Juju refuses a subnet whose space is not in the list. Null when every VLAN has a space. */
export function undefinedSpaceObject(atlas: Atlas): JsonObject | null {
  const vlans = vlansOfSpace(atlas, null);
  if (vlans.length === 0) return null;
  return {
    id: -1,
    name: UNDEFINED_SPACE,
    description: '',
    vlans: vlans.map((vlan) => vlanObject(atlas, vlan)),
    subnets: subnetsOfVlans(atlas, vlans).map((subnet) => subnetObject(atlas, subnet)),
    resource_uri: `${API_PREFIX}spaces/undefined/`,
  };
}
