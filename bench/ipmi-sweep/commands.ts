import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { BenchContext } from '../harness/bench.ts';
import { addressOf, type Hall, type Sweep, sweepOf, USER } from './order.ts';

/** The commands that people sweep with. Each host's answer is taken when its line comes. */

/** Seconds a silent BMC is waited for: what the rack's client waits (0.5 + 1 + 2 + 4 s), given to the others. */
export const DEAD_SECONDS = 7.5;

const IPMIPOWER = [
  'ipmipower',
  ...['-D', 'LAN_2_0', '-W', 'opensesspriv', '-I', '3', '-l', 'OPERATOR', '-u', USER.name, '-p', USER.password],
  ...['--session-timeout', String(DEAD_SECONDS * 1000), '--retransmission-timeout', '500', '--always-prefix', '--stat'],
];

/** `fanout` = hosts at once within the one process. */
export function ipmipowerForAll(hall: Hall, fanout: number): Promise<Sweep> {
  const hosts = allHosts(hall).map((address) => `${address}:${hall.port}`);
  return sweepBy([...IPMIPOWER, '-F', String(fanout), '-h', hosts.join(',')], hall);
}

/** What MAAS runs for each machine, `parallel` at a time. */
export async function ipmipowerPerHost(context: BenchContext, hall: Hall, parallel: number): Promise<Sweep> {
  const script = `exec ${IPMIPOWER.join(' ')} -h "$0":${hall.port}`;
  return sweepBy(await perHost(context, hall, parallel, script), hall);
}

/** With these options 1.8.19 gives a silent BMC up after 6 s (-N and -R allow nothing between that and 10 s). */
export async function ipmitoolPerHost(context: BenchContext, hall: Hall, parallel: number): Promise<Sweep> {
  const tool = `ipmitool -I lanplus -C 3 -L OPERATOR -U ${USER.name} -P ${USER.password} -N 1 -R 2 -p ${hall.port}`;
  // It does not say which host it is about.
  const script = `answer=$(${tool} -H "$0" chassis power status 2>/dev/null); echo "$0: \${answer##* is }"`;
  return sweepBy(await perHost(context, hall, parallel, script), hall);
}

const allHosts = (hall: Hall) => Array.from({ length: hall.count }, (_, index) => addressOf(hall, index));

async function perHost(context: BenchContext, hall: Hall, parallel: number, script: string): Promise<string[]> {
  const file = path.join(context.scratch, 'hosts');
  await writeFile(file, `${allHosts(hall).join('\n')}\n`);
  return ['xargs', '-a', file, '-P', String(parallel), '-n', '1', 'sh', '-c', script];
}

const LATEST_MS = 900_000;

/** Lines are `ADDRESS: on`, `ADDRESS: off` or `ADDRESS: why not`. CPU is that of the program and all its children. */
async function sweepBy(argv: readonly string[], hall: Hall): Promise<Sweep> {
  const indexOf = new Map(allHosts(hall).map((address, index) => [address, index]));
  const outcomes: ({ atMs: number; state: 'on' | 'off' | null } | null)[] = Array.from(
    { length: hall.count },
    () => null,
  );
  const started = performance.now();
  // bash's own `times` counts everything it waited for; its second line is the children's. A dead host is an exit code.
  const child = spawn('bash', ['-c', '"$@"; times >&3', 'bench', ...argv], {
    stdio: ['ignore', 'pipe', 'ignore', 'pipe'],
    timeout: LATEST_MS,
  });
  let times = '';
  child.stdio[3]?.on('data', (part: Buffer) => {
    times += part.toString('utf8');
  });
  const { stdout } = child;
  if (stdout === null) throw new Error(`${argv[0]} has no output`);
  createInterface({ input: stdout }).on('line', (line) => {
    const [, address = '', said] = /^([\d.]+)(?::\d+)?:\s*(.*)$/.exec(line) ?? [];
    const index = indexOf.get(address);
    if (index === undefined) return;
    outcomes[index] = { atMs: performance.now() - started, state: said === 'on' || said === 'off' ? said : null };
  });
  await once(child, 'close');
  const spent = [...(times.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
  return sweepOf(
    hall,
    outcomes,
    spent.reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0),
  );
}
