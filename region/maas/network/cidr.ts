import ipaddr from 'ipaddr.js';

/** `10.0.0.7/24` → `10.0.0.0/24`; null when it is no CIDR. */
export function cidrContaining(text: string): string | null {
  if (!ipaddr.isValidCIDR(text)) return null;
  const [address, bits] = ipaddr.parseCIDR(text);
  const network =
    address.kind() === 'ipv4' ? ipaddr.IPv4.networkAddressFromCIDR(text) : ipaddr.IPv6.networkAddressFromCIDR(text);
  return `${network.toString()}/${bits}`;
}

export function addressInCidr(address: string, cidr: string): boolean {
  if (!ipaddr.isValid(address) || !ipaddr.isValidCIDR(cidr)) return false;
  const parsed = ipaddr.parse(address);
  const [network, bits] = ipaddr.parseCIDR(cidr);
  return parsed.kind() === network.kind() && parsed.match(network, bits);
}

export const isAddress = (text: string): boolean =>
  ipaddr.isValid(text) && (text.includes(':') || /^\d+(\.\d+){3}$/.test(text));
