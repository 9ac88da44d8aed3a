/**
 * The rack's power worker in a process of its own: `rack-program.mjs JSON`, see `RackOrder`. Each line on standard input
 * is one sweep, answered by a `Sweep` as one line of JSON.
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { PowerWork } from '@ingot/contract/rack.ts';
import { CONTROL_PATIENCE } from '@ingot/protocols/ipmi/chassis.ts';
import { DEFAULT_PATIENCE } from '@ingot/protocols/ipmi/exchange.ts';
import { createEvidenceQueue } from '@ingot/rack/evidence/evidence.ts';
import { createIpmiDriver } from '@ingot/rack/power/ipmi-driver.ts';
import { openJournal } from '@ingot/rack/power/journal.ts';
import { createPowerWorker } from '@ingot/rack/power/worker.ts';
import { pino } from 'pino';
import { addressOf, type Hall, type Sweep, sweepOf, USER } from './order.ts';

export interface RackOrder {
  hall: Hall;
  /** An empty folder. */
  dir: string;
}

// The bench started this program with what it made of a RackOrder.
const { hall, dir } = JSON.parse(process.argv[2] ?? '') as RackOrder;
// As in the rack, but for the tries: the other programs make one, too.
const driver = createIpmiDriver({ patience: DEFAULT_PATIENCE, control: CONTROL_PATIENCE, retryWaitsMs: [0] });
const journal = await openJournal(path.join(dir, 'work'), () => Date.now());
const log = pino(pino.destination('/dev/null'));
let onOutcome: Parameters<typeof createPowerWorker>[0]['report'] = () => undefined;
const worker = createPowerWorker({
  journal,
  evidence: createEvidenceQueue(),
  log,
  drivers: [driver],
  report: (id, outcome) => onOutcome(id, outcome),
});
let nextId = 1;

function query(id: number, index: number): PowerWork {
  return {
    id,
    kind: 'power',
    systemId: `bench${index}`,
    attempt: null,
    generation: 1,
    action: 'query',
    soft: false,
    bootFrom: null,
    firmware: 'auto',
    powerType: 'ipmi',
    parameters: {
      power_address: `${addressOf(hall, index)}:${hall.port}`,
      power_user: USER.name,
      power_pass: USER.password,
      power_driver: 'LAN_2_0',
      cipher_suite_id: '3',
      privilege_level: 'OPERATOR',
      workaround_flags: 'opensesspriv',
    },
  };
}

function sweep(): Promise<Sweep> {
  const first = nextId;
  nextId += hall.count;
  const outcomes: ({ atMs: number; state: 'on' | 'off' | null } | null)[] = Array.from(
    { length: hall.count },
    () => null,
  );
  let open = hall.count;
  const spent = process.cpuUsage();
  const started = performance.now();
  return new Promise((resolve) => {
    onOutcome = (id, outcome) => {
      const state = outcome.ok && (outcome.state === 'on' || outcome.state === 'off') ? outcome.state : null;
      outcomes[id - first] = { atMs: performance.now() - started, state };
      worker.acknowledge(id);
      open -= 1;
      if (open > 0) return;
      const { user, system } = process.cpuUsage(spent);
      resolve(sweepOf(hall, outcomes, (user + system) / 1e6));
    };
    for (let index = 0; index < hall.count; index++) worker.submit(query(first + index, index));
  });
}

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'sweep') console.log(JSON.stringify(await sweep()));
}
await worker.stop();
await rm(path.join(dir, 'work'), { recursive: true, force: true });
