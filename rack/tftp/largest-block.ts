import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { BLOCK_SIZE_LIMIT, LARGEST_BLOCK_SIZE } from '@ingot/protocols/tftp/negotiate.ts';

/** IPv6 (40), UDP (8) and TFTP (4); IPv4 needs 20 less. */
const HEADERS = 52;

/**
 * Octets of a block that fit one frame of the interface with this address: a boot ROM that asks for 8192 gets it where
 * frames are jumbo, and what Ethernet carries everywhere else. Linux; anything unreadable counts as Ethernet.
 */
export async function largestBlock(address: string): Promise<number> {
  const [name] =
    Object.entries(networkInterfaces()).find(([, all]) => all?.some((one) => one.address === address)) ?? [];
  const mtu = name === undefined ? Number.NaN : await mtuOf(name);
  return mtu > 1500 ? Math.min(BLOCK_SIZE_LIMIT, mtu - HEADERS) : LARGEST_BLOCK_SIZE;
}

async function mtuOf(name: string): Promise<number> {
  return Number(await readFile(`/sys/class/net/${name}/mtu`, 'utf8').catch(() => 'NaN'));
}
