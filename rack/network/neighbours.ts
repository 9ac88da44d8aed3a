import { readFile } from 'node:fs/promises';

/** One complete entry of the kernel's IPv4 neighbour table. */
export interface Neighbour {
  ip: string;
  /** Lower case with colons. */
  mac: string;
  interface: string;
}

const COMPLETE = 0x2;
const ROW = /^(\d+\.\d+\.\d+\.\d+)\s+0x1\s+0x([0-9a-f]+)\s+([0-9a-f:]{17})\s+\S+\s+(\S+)$/i;

/** Rows of /proc/net/arp: address, hardware type 0x1 (Ethernet), flags, hardware address, mask, device. */
export function parseNeighbours(text: string): Neighbour[] {
  return text.split('\n').flatMap((line) => {
    const [, ip, flags, mac, name] = ROW.exec(line.trim()) ?? [];
    if (ip === undefined || flags === undefined || mac === undefined || name === undefined) return [];
    if ((Number.parseInt(flags, 16) & COMPLETE) === 0) return [];
    return [{ ip, mac: mac.toLowerCase(), interface: name }];
  });
}

/**
 * The card that frames for this address go to; null when it is not on that link. For somebody who has spoken TCP with us this
 * proves that what we sent reached that card: the handshake is over.
 */
export async function neighbourMac(ip: string, device: string): Promise<string | null> {
  const table = parseNeighbours(await readFile('/proc/net/arp', 'utf8').catch(() => ''));
  return table.find((entry) => entry.ip === ip && entry.interface === device)?.mac ?? null;
}
