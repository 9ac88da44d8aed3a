import { API_PREFIX } from '../describe.ts';
import { subnetObject, vlanObject } from '../network/render.ts';
import type { Json } from '../wire/json.ts';
import type { InterfaceRow, LeaseRow, LinkRow, MachineAggregates } from './load.ts';

type JsonObject = { readonly [key: string]: Json | undefined };

/** Interface object of api-2.0-objects §4. */
export function interfaceObject(all: MachineAggregates, systemId: string, row: InterfaceRow): JsonObject {
  const { atlas } = all;
  const vlan = row.vlan_id === null ? undefined : atlas.vlans.get(row.vlan_id);
  const leases = leasesOf(all, row);
  const params = paramsOf(row.params);
  return {
    id: row.id,
    system_id: systemId,
    name: row.name,
    type: row.type,
    enabled: row.enabled,
    mac_address: row.mac,
    vlan: vlan === undefined ? null : vlanObject(atlas, vlan),
    tags: row.tags,
    parents: [],
    children: [],
    links: linksOf(all, row).map((link) => linkObject(all, link, leases)),
    discovered:
      leases.length === 0
        ? null
        : leases.map((lease) => {
            const subnet = lease.subnet_id === null ? undefined : atlas.subnets.get(lease.subnet_id);
            return { subnet: subnet === undefined ? null : subnetObject(atlas, subnet), ip_address: lease.ip };
          }),
    params,
    effective_mtu: typeof params.mtu === 'number' ? params.mtu : (vlan?.mtu ?? 1500),
    vendor: row.vendor,
    product: row.product,
    firmware_version: row.firmware_version,
    link_connected: row.link_connected,
    interface_speed: row.interface_speed,
    link_speed: row.link_speed,
    numa_node: row.numa_node ?? 0,
    sriov_max_vf: row.sriov_max_vf,
    resource_uri: `${API_PREFIX}nodes/${systemId}/interfaces/${row.id}/`,
  };
}

/** Keys are absent, not null, where nothing is assigned: gomaasapi fails on null. DHCP shows what was leased. */
function linkObject(all: MachineAggregates, link: LinkRow, leases: readonly LeaseRow[]): JsonObject {
  const lease = link.mode === 'dhcp' ? leases[0] : undefined;
  const subnetId = link.subnet_id ?? lease?.subnet_id ?? null;
  const subnet = subnetId === null ? undefined : all.atlas.subnets.get(subnetId);
  return {
    id: link.id,
    mode: link.mode,
    ip_address: link.ip ?? lease?.ip ?? undefined,
    subnet: subnet === undefined ? undefined : subnetObject(all.atlas, subnet),
  };
}

export const linksOf = (all: MachineAggregates, row: InterfaceRow): LinkRow[] => all.links.get(row.id) ?? [];

const leasesOf = (all: MachineAggregates, row: InterfaceRow): LeaseRow[] =>
  row.mac === null ? [] : (all.leases.get(row.mac) ?? []);

/** Params are free-form JSON of ours; only scalars are shown. */
function paramsOf(params: unknown): Record<string, Json> {
  if (typeof params !== 'object' || params === null) return {};
  const shown: Record<string, Json> = {};
  for (const [key, value] of Object.entries(params)) {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') shown[key] = value;
  }
  return shown;
}

/** Addresses of the links, or those observed when no link has one. */
export function addressesOf(all: MachineAggregates, interfaces: readonly InterfaceRow[]): string[] {
  const given = interfaces.flatMap((row) => linksOf(all, row).flatMap((link) => (link.ip === null ? [] : [link.ip])));
  if (given.length > 0) return given;
  return interfaces.flatMap((row) => leasesOf(all, row).map((lease) => lease.ip));
}

/** First linked subnet with a gateway, the boot interface's links first. `link_id` stays null: none is set explicitly. */
export function defaultGateways(
  all: MachineAggregates,
  interfaces: readonly InterfaceRow[],
  bootInterface: InterfaceRow | undefined,
): JsonObject {
  const ordered = [...interfaces].sort(
    (a, b) => Number(b === bootInterface) - Number(a === bootInterface) || a.id - b.id,
  );
  const gateways = ordered.flatMap((row) =>
    linksOf(all, row).flatMap((link) => {
      const gateway = link.subnet_id === null ? null : all.atlas.subnets.get(link.subnet_id)?.gateway_ip;
      return gateway === null || gateway === undefined ? [] : [gateway];
    }),
  );
  const pick = (v6: boolean): JsonObject => ({
    gateway_ip: gateways.find((ip) => ip.includes(':') === v6) ?? null,
    link_id: null,
  });
  return { ipv4: pick(false), ipv6: pick(true) };
}
