import { field, type InventoryText, listField, numberField, parseJsonOutput, textField } from './inventory.ts';

/** A network card's port. */
export interface InterfaceFact {
  name: string;
  /** Lower case with colons. */
  mac: string;
  vendor: string | null;
  product: string | null;
  firmwareVersion: string | null;
  linkConnected: boolean;
  /** Mbit/s; 0 = unknown. */
  linkSpeed: number;
  /** Highest supported, Mbit/s; 0 = unknown. */
  interfaceSpeed: number;
  mtu: number;
  /** Addresses of global scope the ephemeral system had. */
  addresses: { address: string; prefix: number }[];
}

/** The host side of OpenBMC's virtual USB network has this address on every machine. */
const OPENBMC_MAC = '02:00:00:00:00:02';
const MAX_INTERFACES = 512;

/** Ports in the order of the inventory, each MAC once. */
export function interfacesFromInventory(inventory: InventoryText, warn: (text: string) => void): InterfaceFact[] {
  const addresses = addressesByMac(inventory.ipAddress, warn);
  const seen = new Set<string>();
  const interfaces: InterfaceFact[] = [];
  for (const port of inventory.ethernet.slice(0, MAX_INTERFACES)) {
    const mac = port.mac.toLowerCase();
    if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) || mac === '00:00:00:00:00:00' || mac === OPENBMC_MAC) continue;
    if (seen.has(mac)) continue;
    seen.add(mac);
    const link = addresses.get(mac);
    const speed = Math.max(0, port.speedMbps);
    interfaces.push({
      name: port.name.slice(0, 15),
      mac,
      vendor: port.vendor || null,
      product: port.product || null,
      firmwareVersion: port.firmware || null,
      linkConnected: port.linkDetected,
      linkSpeed: port.linkDetected ? speed : 0,
      interfaceSpeed: Math.max(speed, port.maxSpeedMbps, 0),
      mtu: link?.mtu ?? 1500,
      addresses: link?.addresses ?? [],
    });
  }
  return interfaces;
}

interface LinkAddresses {
  mtu: number;
  addresses: { address: string; prefix: number }[];
}

function addressesByMac(text: string, warn: (text: string) => void): Map<string, LinkAddresses> {
  const output = parseJsonOutput('ip address', text, warn);
  const byMac = new Map<string, LinkAddresses>();
  for (const link of Array.isArray(output) ? output.slice(0, MAX_INTERFACES) : []) {
    // VLAN and bond devices repeat their parent's MAC; the plain device has no kind.
    if (textField(link, 'link_type') !== 'ether' || field(field(link, 'linkinfo'), 'info_kind') !== undefined) continue;
    const found = listField(link, 'addr_info').flatMap((info) => {
      const address = textField(info, 'local');
      const prefix = numberField(info, 'prefixlen');
      return textField(info, 'scope') === 'global' && address !== '' && prefix !== null ? [{ address, prefix }] : [];
    });
    const mac = textField(link, 'address').toLowerCase();
    byMac.set(mac, { mtu: numberField(link, 'mtu') ?? 1500, addresses: found });
  }
  return byMac;
}
