import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import type { ForeignDhcpServer } from '@ingot/contract/rack.ts';
import {
  addressOption,
  decodeDhcp,
  discoverOf,
  encodeDhcp,
  MESSAGE,
  messageTypeOf,
  OPTION,
} from '@ingot/protocols/dhcp/packet.ts';
import type { HostAddress } from '../network/interfaces.ts';
import { neighbourMac } from '../network/neighbours.ts';
import { openDeviceSocket } from './device-socket.ts';
import { PROBE_PREFIX } from './probe.ts';

/** A server may ping the address before it offers it: ISC dhcpd one second, dnsmasq three. */
const LISTEN_MS = 5000;
const ASK_AT_MS = [0, 2000];
const SERVERS = 16;
const DISCARD_PORT = 9;

/** One and the same made-up card for each of ours, so that asking again and again uses up no addresses of others. */
export function probeMac(ownMac: string): string {
  return [...PROBE_PREFIX.map((byte) => byte.toString(16).padStart(2, '0')), ...ownMac.split(':').slice(3)].join(':');
}

export interface ForeignProbeOptions {
  /** Addresses of servers that are ours. */
  own: readonly string[];
  listenMs?: number;
}

/**
 * Asks for an address on the interface and collects who offers one, but for our own servers (Kea drops our probe). Nothing is
 * accepted. Takes `listenMs`; rejects when the interface cannot be listened on.
 */
export async function findForeignDhcp(host: HostAddress, options: ForeignProbeOptions): Promise<ForeignDhcpServer[]> {
  const socket = await openDeviceSocket(host.interface, 68);
  const listenMs = options.listenMs ?? LISTEN_MS;
  const xid = randomBytes(4).readUInt32BE(0);
  const packet = encodeDhcp(discoverOf(probeMac(host.mac), xid, [[OPTION.parameterList, Buffer.from([1, 3, 6])]]));
  /** By the server's own name of itself: where the frame came from. */
  const heard = new Map<string, string>();
  socket.on('message', (bytes, from) => {
    const offer = decodeDhcp(bytes);
    if (offer === null || offer.op !== 'reply' || offer.xid !== xid) return;
    // An offer without an address is a proxy's: it gives none.
    if (messageTypeOf(offer) !== MESSAGE.offer || offer.yiaddr === '0.0.0.0') return;
    const server = addressOption(offer, OPTION.serverId) ?? from.address;
    if (options.own.includes(server) || options.own.includes(from.address) || heard.size >= SERVERS) return;
    heard.set(server, from.address);
  });
  const timers = ASK_AT_MS.filter((ms) => ms < listenMs).map((ms) =>
    setTimeout(() => socket.send(packet, 67, '255.255.255.255', () => undefined), ms),
  );
  socket.on('error', () => undefined);
  await new Promise((resolve) => setTimeout(resolve, listenMs));
  for (const timer of timers) clearTimeout(timer);
  await closed(socket);
  return await Promise.all(
    [...heard].map(async ([address, from]) => ({ address, mac: await macOnLink(from, host.interface) })),
  );
}

const MAC_TRIES_MS = [0, 50, 200, 500];

/** A datagram to nowhere makes the kernel ask for the card. Empty when it does not answer, or stands behind a router. */
async function macOnLink(address: string, device: string): Promise<string> {
  const socket = createSocket('udp4');
  socket.on('error', () => undefined);
  try {
    for (const wait of MAC_TRIES_MS) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      const mac = await neighbourMac(address, device);
      if (mac !== null) return mac;
      socket.send(Buffer.alloc(1), DISCARD_PORT, address, () => undefined);
    }
    return '';
  } finally {
    await closed(socket);
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.close(() => resolve()));
}
