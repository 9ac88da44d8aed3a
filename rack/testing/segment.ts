import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Two network namespaces joined by a veth pair, for tests: the rack's side has an address, the machine's has none. */
export interface TestSegment {
  rack: string;
  machine: string;
  /** Prefix of a command line that enters the rack's or machine's namespace. */
  inRack: string[];
  inMachine: string[];
  remove(): Promise<void>;
}

/** Needs root. `address` is the rack's, in CIDR form; the interface is eth0 on both sides. */
export async function createTestSegment(address: string): Promise<TestSegment> {
  const id = randomBytes(4).toString('hex');
  const rack = `ingot-${id}-r`;
  const machine = `ingot-${id}-m`;
  const remove = async () => {
    for (const name of [rack, machine]) await run('ip', ['netns', 'del', name]).catch(() => undefined);
  };
  const ip = async (line: string) => await run('ip', line.split(' '));
  try {
    await ip(`netns add ${rack}`);
    await ip(`netns add ${machine}`);
    await ip(`-n ${rack} link add eth0 type veth peer name eth0 netns ${machine}`);
    await ip(`-n ${rack} addr add ${address} dev eth0`);
    for (const name of [rack, machine]) {
      await ip(`-n ${name} link set lo up`);
      await ip(`-n ${name} link set eth0 up`);
    }
    await ip(`-n ${machine} route add 255.255.255.255/32 dev eth0`);
  } catch (error) {
    await remove();
    throw error;
  }
  const enter = (name: string) => ['ip', 'netns', 'exec', name];
  return { rack, machine, inRack: enter(rack), inMachine: enter(machine), remove };
}
