import { type DhcpPacket, MESSAGE, messageTypeOf, OPTION, octets } from './packet.ts';

/**
 * ProxyDHCP (PXE 2.1 §2.2): beside a DHCP server that gives addresses, this one only says what to boot. It answers a DISCOVER
 * on port 67 with an offer that has no address, and a REQUEST or INFORM on port 4011 with an acknowledgement.
 */

/** How a client boots from the network. `arch` is option 93 (RFC 4578 §2.1, IANA "Processor Architecture Types"). */
export type NetworkBoot = { kind: 'ipxe' | 'pxe' | 'http'; arch: number };

/** Null: it wants an address and nothing else, and a proxy keeps out of that. */
export function networkBootOf(packet: DhcpPacket): NetworkBoot | null {
  const vendor = packet.options.get(OPTION.vendorClass)?.toString('latin1') ?? '';
  const option = packet.options.get(OPTION.clientArch);
  // RFC 4578 allows a list; the first is what runs now. Without one it is a BIOS of the time before.
  const arch = option !== undefined && option.length >= 2 ? option.readUInt16BE(0) : 0;
  const user = packet.options.get(OPTION.userClass)?.toString('latin1') ?? '';
  // RFC 3004 puts a length before the text, iPXE does not.
  if (user.startsWith('iPXE') || user.slice(1).startsWith('iPXE')) return { kind: 'ipxe', arch };
  if (vendor.startsWith('PXEClient')) return { kind: 'pxe', arch };
  if (vendor.startsWith('HTTPClient')) return { kind: 'http', arch };
  return null;
}

/** Sub-options of option 43 (PXE 2.1 §2.2.3): 6 = discovery control, bit 3 = take the file of this offer and ask nobody. */
const TAKE_THIS_FILE = Buffer.from([6, 1, 8, 255]);

const ANSWERS: Record<67 | 4011, ReadonlyMap<number, number>> = {
  67: new Map([[MESSAGE.discover, MESSAGE.offer]]),
  4011: new Map([
    [MESSAGE.request, MESSAGE.ack],
    [MESSAGE.inform, MESSAGE.ack],
  ]),
};

/**
 * Pure. The answer to what came in on `port`, or null when there is none. `server` is our address on that network, `file`
 * what to boot (at most 127 bytes). Relayed requests are left to the relay's own network.
 */
export function proxyReply(
  request: DhcpPacket,
  port: 67 | 4011,
  offer: { server: string; file: string },
): DhcpPacket | null {
  const boot = networkBootOf(request);
  const answer = ANSWERS[port].get(messageTypeOf(request) ?? 0);
  if (request.op !== 'request' || boot === null || answer === undefined) return null;
  if (request.giaddr !== '0.0.0.0') return null;
  const server = Buffer.from(octets(offer.server));
  const asked = request.options.get(OPTION.serverId);
  // On 4011 a server may be named: then it is for that one.
  if (port === 4011 && asked !== undefined && !asked.equals(server)) return null;
  const uuid = request.options.get(OPTION.clientUuid);
  const vendor = boot.kind === 'http' ? 'HTTPClient' : 'PXEClient';
  return {
    ...request,
    op: 'reply',
    secs: 0,
    yiaddr: '0.0.0.0',
    siaddr: offer.server,
    sname: '',
    file: offer.file,
    options: new Map([
      [OPTION.messageType, Buffer.from([answer])],
      [OPTION.serverId, server],
      [OPTION.vendorClass, Buffer.from(vendor, 'latin1')],
      // An HTTP client takes the URL as it is; a PXE ROM would look for a boot server by itself without the hint.
      ...(boot.kind === 'http' ? [] : [[OPTION.vendorSpecific, TAKE_THIS_FILE] as const]),
      ...(uuid === undefined ? [] : [[OPTION.clientUuid, uuid] as const]),
    ]),
  };
}
