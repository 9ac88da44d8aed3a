import { contains, parseCidr, parseIpv4 } from './address.ts';

export interface ConfiguredInterface {
  id: number;
  name: string;
  mac: string;
  enabled: boolean;
  /** Effective MTU; null leaves the driver's. */
  mtu: number | null;
  /** In a VLAN. One that is not must not hold up the boot. */
  connected: boolean;
}

export interface ConfiguredLink {
  interfaceId: number;
  mode: 'auto' | 'static' | 'dhcp' | 'link_up';
  subnetId: number | null;
  /** Without prefix; null = not assigned yet, then the interface asks by DHCP. */
  address: string | null;
}

export interface ConfiguredSubnet {
  id: number;
  cidr: string;
  gateway: string | null;
  dnsServers: string[];
}

/** One entry of `ethernets` in netplan's version 2. */
export interface EthernetConfig {
  match: { macaddress: string };
  'set-name': string;
  mtu?: number;
  dhcp4?: boolean;
  addresses?: string[];
  routes?: { to: string; via: string; metric?: number }[];
  nameservers?: { addresses: string[]; search?: string[] };
  optional?: boolean;
}

export interface NetworkConfig {
  version: 2;
  ethernets: Record<string, EthernetConfig>;
}

export interface NetworkOptions {
  /** Interface whose subnet gives the default route; else the first link with a gateway. */
  gatewayInterfaceId?: number | null;
  /** For interfaces whose subnet names none. */
  defaultDns?: string[];
  search?: string[];
}

/**
 * Network configuration of a machine's physical interfaces for cloud-init and netplan (version 2), matched by MAC. Only one
 * default route is written. An `auto` link without an address falls back to DHCP, so that the machine is reachable.
 */
export function networkConfig(
  interfaces: ConfiguredInterface[],
  links: ConfiguredLink[],
  subnets: ConfiguredSubnet[],
  options: NetworkOptions = {},
): NetworkConfig {
  const bySubnet = new Map(subnets.map((subnet) => [subnet.id, subnet]));
  const gatewayLink = chooseGateway(links, bySubnet, options.gatewayInterfaceId ?? null);
  const ethernets: Record<string, EthernetConfig> = {};
  for (const port of interfaces) {
    if (!port.enabled) continue;
    const config: EthernetConfig = { match: { macaddress: port.mac.toLowerCase() }, 'set-name': port.name };
    if (port.mtu !== null) config.mtu = port.mtu;
    if (!port.connected) config.optional = true;
    const dns = new Set<string>();
    for (const link of links.filter((candidate) => candidate.interfaceId === port.id)) {
      const subnet = link.subnetId === null ? undefined : bySubnet.get(link.subnetId);
      const fixed = fixedAddress(link, subnet);
      if (fixed !== null) config.addresses = [...(config.addresses ?? []), fixed];
      else if (link.mode !== 'link_up') config.dhcp4 = true;
      if (fixed === null) continue;
      for (const server of subnet?.dnsServers ?? []) dns.add(server);
      if (link === gatewayLink && subnet?.gateway) config.routes = [{ to: '0.0.0.0/0', via: subnet.gateway }];
    }
    if (config.addresses !== undefined) {
      const servers = dns.size > 0 ? [...dns] : (options.defaultDns ?? []);
      if (servers.length > 0) {
        config.nameservers = { addresses: servers, ...(options.search?.length ? { search: options.search } : {}) };
      }
    }
    ethernets[port.name] = config;
  }
  return { version: 2, ethernets };
}

/** `10.0.0.5/24`, or null when the link has no address of its own in its subnet. */
function fixedAddress(link: ConfiguredLink, subnet: ConfiguredSubnet | undefined): string | null {
  if ((link.mode !== 'auto' && link.mode !== 'static') || link.address === null || subnet === undefined) return null;
  const network = parseCidr(subnet.cidr);
  const address = parseIpv4(link.address);
  if (network === null || address === null || !contains(network, address)) return null;
  return `${link.address}/${network.prefix}`;
}

function chooseGateway(
  links: ConfiguredLink[],
  subnets: Map<number, ConfiguredSubnet>,
  wanted: number | null,
): ConfiguredLink | null {
  const usable = links.filter((link) => {
    const subnet = link.subnetId === null ? undefined : subnets.get(link.subnetId);
    return fixedAddress(link, subnet) !== null && subnet?.gateway != null;
  });
  return usable.find((link) => link.interfaceId === wanted) ?? usable[0] ?? null;
}
