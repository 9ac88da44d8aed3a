import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { keaCounter } from './kea-control.ts';

/** Cards of our probes begin so: locally administered, "IN" for Ingot. Kea drops what they ask. */
export const PROBE_PREFIX = [0x02, 0x49, 0x4e] as const;

/** The smallest DHCPDISCOVER (RFC 2131 §2, RFC 2132 §9.6) of a made-up machine. */
function discoverPacket(): Buffer {
  const packet = Buffer.alloc(300);
  packet.set([1, 1, 6, 0]); // BOOTREQUEST, Ethernet, 6-byte address
  randomBytes(4).copy(packet, 4);
  packet.writeUInt16BE(0x8000, 10); // answer by broadcast
  packet.set(PROBE_PREFIX, 28);
  randomBytes(3).copy(packet, 31);
  packet.set([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255], 236);
  return packet;
}

/** Puts a DISCOVER on the wire of the interface that has `address`. */
export function sendDiscover(address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    socket.once('error', reject);
    // The kernel picks the interface of a limited broadcast by the source address.
    socket.bind(0, address, () => {
      socket.setBroadcast(true);
      socket.send(discoverPacket(), 67, '255.255.255.255', (error) => {
        socket.close();
        if (error) reject(error);
        else resolve();
      });
    });
  });
}

export type SendDiscover = (address: string) => Promise<void>;

/**
 * Does Kea hear machines? Kea's raw socket also sees what this host itself sends, so a DISCOVER from here counts as one
 * from a machine: `pkt4-received` must rise. (A Kea that refused a configuration says it is ready and hears nothing.)
 */
export async function keaHears(
  socketPath: string,
  addresses: readonly string[],
  send: SendDiscover,
  deadlineMs: number,
): Promise<boolean> {
  const end = performance.now() + deadlineMs;
  for (const address of addresses) {
    if (!(await heardOn(socketPath, address, send, end))) return false;
  }
  return true;
}

async function heardOn(socketPath: string, address: string, send: SendDiscover, end: number): Promise<boolean> {
  const before = await keaCounter(socketPath, 'pkt4-received', 1000);
  while (performance.now() < end) {
    await send(address);
    for (let wait = 5; wait <= 160 && performance.now() < end; wait *= 2) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      if ((await keaCounter(socketPath, 'pkt4-received', 1000)) > before) return true;
    }
  }
  return false;
}
