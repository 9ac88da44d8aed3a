import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** One Ethernet segment in namespaces of its own: a bridge, and a namespace with eth0 on it for each host. For tests; needs root. */
export interface TestLan {
  /** Prefix of a command line that enters a host's namespace. */
  enter(host: string): string[];
  /** MAC of the host's eth0. */
  mac(host: string): Promise<string>;
  /** Runs a command in the host's namespace and gives its output; rejects when it fails or takes 30 s. */
  run(host: string, ...line: string[]): Promise<string>;
  /** Starts a program there; it is killed with the LAN at the latest. */
  start(host: string, ...line: string[]): ChildProcess;
  /** Ends one that was started, and waits for its end. */
  kill(child: ChildProcess): Promise<void>;
  remove(): Promise<void>;
}

/** `hosts` by name: the address of eth0 in CIDR form, null = none. */
export async function createTestLan(hosts: Record<string, string | null>): Promise<TestLan> {
  const id = randomBytes(3).toString('hex');
  const nameOf = (host: string) => `ingot-${id}-${host}`;
  const bridge = nameOf('br');
  const children = new Set<ChildProcess>();
  const enter = (host: string) => ['ip', 'netns', 'exec', nameOf(host)];
  const kill = async (child: ChildProcess) => {
    children.delete(child);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  };
  const remove = async () => {
    await Promise.all([...children].map(kill));
    for (const host of [...Object.keys(hosts), 'br']) {
      await run('ip', ['netns', 'del', nameOf(host)]).catch(() => undefined);
    }
  };
  const ip = async (line: string) => await run('ip', line.split(' '));
  try {
    await ip(`netns add ${bridge}`);
    await ip(`-n ${bridge} link add br0 type bridge stp_state 0 forward_delay 0`);
    await ip(`-n ${bridge} link set br0 up`);
    for (const [index, [host, address]] of Object.entries(hosts).entries()) {
      await ip(`netns add ${nameOf(host)}`);
      await ip(`-n ${nameOf(host)} link add eth0 type veth peer name p${index} netns ${bridge}`);
      await ip(`-n ${bridge} link set p${index} master br0 up`);
      await ip(`-n ${nameOf(host)} link set lo up`);
      await ip(`-n ${nameOf(host)} link set eth0 up`);
      if (address === null) await ip(`-n ${nameOf(host)} route add 255.255.255.255/32 dev eth0`);
      else await ip(`-n ${nameOf(host)} addr add ${address} dev eth0`);
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    enter,
    mac: async (host) => {
      const { stdout } = await run('ip', ['-n', nameOf(host), '-j', 'link', 'show', 'eth0']);
      return /"address":"([0-9a-f:]{17})"/.exec(stdout)?.[1] ?? '';
    },
    run: async (host, ...line) => {
      const [command = '', ...args] = [...enter(host), ...line];
      return (await run(command, args, { timeout: 30_000, encoding: 'latin1' })).stdout;
    },
    start: (host, ...line) => {
      const [command = '', ...args] = [...enter(host), ...line];
      const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
      children.add(child);
      return child;
    },
    kill,
    remove,
  };
}
