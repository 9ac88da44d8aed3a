import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startLab } from '../data-centre.ts';
import type { MachineSpec } from '../machine/spec.ts';
import { stayUntil } from '../run/interruption.ts';
import { clearLeftovers, type Ledger, openLedger } from '../run/ledger.ts';
import { apiHands } from '../story/hands.ts';
import { provideImages } from '../story/images.ts';
import { type Ingot, startIngot } from '../story/ingot-processes.ts';
import * as job from '../story/main-job.ts';
import { type PhaseTime, phasesOf, sumOwn } from '../story/waterfall.ts';
import { openScreen, type Screen } from './screen.ts';
import { noteTypical, readTypical } from './typical.ts';
import { bar, clock, paint, type Row } from './view.ts';

export interface DemoOptions {
  checkout: string;
  cache: string;
  port: number;
  /** Enlist to Ready again, then tear down. */
  once: boolean;
  json: boolean;
  /** Resolves when the person has seen enough. */
  interrupted: Promise<void>;
}

interface MachineReport {
  name: string;
  firmware: string;
  finalStatus: string;
  phases: PhaseTime[];
  seconds: number;
}

/** Plays the main job for one BIOS and one UEFI machine. Returns the exit code: 0, or 1 after a failure. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const screen = openScreen(options.json ? process.stderr : process.stdout);
  const cleared = await clearLeftovers(options.checkout);
  if (cleared.length > 0) screen.say(`cleaned up after ${cleared.length} run(s) that did not end`);
  const ledger = await openLedger(options.checkout, { owned: true });
  const abort = new AbortController();
  const stage = { invited: false };
  // Whatever is under way when the person has enough is left where it is; clearing the ledger ends it.
  const interrupted = options.interrupted.then(() => {
    abort.abort();
    return stage.invited ? 0 : 130;
  });
  try {
    return await Promise.race([play(options, screen, ledger, abort.signal, stage), interrupted]);
  } finally {
    screen.live([]);
    await ledger.clear();
    screen.say('everything the demo made is removed');
  }
}

async function play(
  options: DemoOptions,
  screen: Screen,
  ledger: Ledger,
  signal: AbortSignal,
  stage: { invited: boolean },
): Promise<number> {
  const begun = performance.now();
  const since = (from: number) => (performance.now() - from) / 1000;
  const stateDir = await mkdtemp('/var/tmp/ingot-demo-');
  await ledger.addFolder(stateDir);

  screen.live(['starting the lab and Ingot']);
  const lab = await startLab({
    checkout: options.checkout,
    ledger,
    stateDir: path.join(stateDir, 'lab'),
    machines: [
      { name: 'amber', firmware: 'bios' },
      { name: 'birch', firmware: 'uefi' },
    ],
  });
  const admin = { username: 'admin', password: randomBytes(9).toString('base64url') };
  const ingot = await startIngot({ ...options, ledger, lab, stateDir, admin });
  const startSeconds = since(begun);
  const imagesFrom = performance.now();
  let lastStep = '';
  const image = await provideImages(ingot.api, {
    checkout: options.checkout,
    cache: options.cache,
    handOver: path.join(stateDir, 'images'),
    signal,
    onProgress: (kind, step, fraction) => {
      const percent = fraction === null ? '' : `${bar(fraction)} ${Math.round(fraction * 100)} %`;
      if (screen.interactive) screen.live([`${kind} image: ${step}  ${percent}`]);
      else if (step !== lastStep) screen.say(`${kind} image: ${step}`);
      lastStep = step;
    },
  });
  const imageSeconds = since(imagesFrom);
  await ingot.api.serve(lab.cidr, lab.dynamic.start, lab.dynamic.end);
  const story = await job.beginStory(lab, ingot, image, 'demo');
  await apiHands(ingot).addSshKey(story.publicKey);

  const typical = await readTypical(options.cache);
  const rows: Row[] = lab.machines.map((spec) => ({
    name: spec.name,
    firmware: spec.firmware.toUpperCase(),
    doing: 'off',
    since: Date.now(),
    machine: null,
    typical: typical[spec.firmware] ?? {},
  }));
  const machinesFrom = performance.now();
  const players = lab.machines.map((spec, index) => {
    const row = rows[index];
    if (!row) throw new Error('as many rows as machines');
    return playMachine(story, spec, row, options.once, screen).catch(async (cause: unknown) => {
      row.doing = 'failed';
      row.since = Date.now();
      const error = row.machine ? await job.withTimeline(story, row.machine, cause) : cause;
      screen.say(`\n${row.name}: ${error instanceof Error ? error.message : String(error)}\n`);
      throw error;
    });
  });
  const all = Promise.allSettled(players);
  await watch(ingot, rows, screen, Promise.race([all, options.interrupted]));
  const results = await all;
  const machineSeconds = since(machinesFrom);

  const reports = await Promise.all(rows.map((row, index) => report(ingot, row, results[index])));
  for (const machine of reports) {
    screen.say(`\n${machine.name} (${machine.firmware}): ${machine.finalStatus} after ${clock(machine.seconds)}`);
    for (const phase of machine.phases) {
      screen.say(`  ${phase.name.padEnd(44)} ${phase.seconds.toFixed(1).padStart(6)} s   own ${phase.own.toFixed(1)}`);
    }
  }
  const ownSeconds = sumOwn(reports.flatMap((machine) => machine.phases));
  screen.say(
    `\nstart ${clock(startSeconds)} · images ${clock(imageSeconds)} · machines ${clock(machineSeconds)} · of that Ingot's own ${ownSeconds.toFixed(1)} s`,
  );
  const ok = results.every((result) => result.status === 'fulfilled');
  if (options.json) {
    const totalSeconds = Math.round(since(begun) * 10) / 10;
    process.stdout.write(`${JSON.stringify({ ok, machines: reports, ownSeconds, totalSeconds })}\n`);
  }
  if (!ok) return 1;
  await noteTypical(options.cache, reports);
  if (!options.once) {
    await invite(story, options.port, screen);
    stage.invited = true;
    await stayUntil(options.interrupted);
  }
  return 0;
}

async function playMachine(
  story: job.Story,
  spec: MachineSpec,
  row: Row,
  once: boolean,
  screen: Screen,
): Promise<void> {
  const hands = apiHands(story.ingot);
  const now = (doing: string) => {
    row.doing = doing;
    row.since = Date.now();
    if (!screen.interactive) screen.say(`${row.name}: ${doing}`);
  };
  now('switched on by hand, enlisting');
  const machine = await job.enlist(story, spec);
  row.machine = await story.ingot.api.machine(machine.systemId);
  now(`enlisted as ${machine.hostname}, commissioning`);
  await job.commission(story, machine, hands);
  const differences = await job.compareHardware(story, machine);
  if (differences.length > 0) throw new Error(`${spec.name} is not described as it is: ${differences.join('; ')}`);
  now('ready, deploying');
  await job.startDeploy(story, machine, hands);
  await job.reach(story, machine, 'DEPLOYED', job.LIMIT_MS.deploy);
  now('deployed, logging in by SSH');
  await job.visit(story, machine);
  if (!once) {
    now('deployed');
    return;
  }
  now('logged in, user-data read; releasing with erase');
  await job.releaseErasing(story, machine, hands);
  now('ready again, every sector reads zero');
}

/** Repaints once a second until `end`. */
async function watch(ingot: Ingot, rows: Row[], screen: Screen, end: Promise<unknown>): Promise<void> {
  let ended = false;
  void end.then(() => {
    ended = true;
  });
  while (!ended) {
    try {
      for (const row of rows) {
        if (row.machine !== null) row.machine = await ingot.api.machine(row.machine.systemId);
      }
    } catch {
      // The picture stays as it was; the steps of the story notice a region that stays away.
    }
    screen.live(paint(rows, Date.now(), screen.width));
    await Promise.race([sleep(1000), end]);
  }
  screen.live([]);
}

async function report(ingot: Ingot, row: Row, result: PromiseSettledResult<void> | undefined): Promise<MachineReport> {
  const base = { name: row.name, firmware: row.firmware.toLowerCase() };
  const systemId = row.machine?.systemId;
  if (systemId === undefined) return { ...base, finalStatus: 'not enlisted', phases: [], seconds: 0 };
  const attempts = await ingot.api.attempts(systemId);
  const machine = await ingot.api.machine(systemId);
  const phases = phasesOf(attempts);
  const seconds = Math.round(phases.reduce((sum, phase) => sum + phase.seconds, 0) * 10) / 10;
  const finalStatus = result?.status === 'rejected' ? `failed at ${machine.statusName}` : machine.statusName;
  return { ...base, finalStatus, phases, seconds };
}

async function invite(story: job.Story, port: number, screen: Screen): Promise<void> {
  const { ingot, lab } = story;
  const machines = await ingot.api.machines();
  const hosts = Object.fromEntries(
    machines.flatMap(({ hostname, addresses: [address] }) => (address === undefined ? [] : [[hostname, address]])),
  );
  // Where `ingot ssh` looks for the way into a lab.
  const config = path.join(ingot.stateDir, 'ssh_config');
  await lab.sshConfig(config, story.keyFile, 'debian', hosts);
  const names = Object.keys(hosts);
  screen.say(`
UI       ${ingot.url}      ${ingot.admin.username} / ${ingot.admin.password}
remote   ssh -L ${port}:127.0.0.1:${port} root@${os.hostname()}
login    ssh -F ${config} ${names[0] ?? ''}${names[1] ? `      (or ${names[1]})` : ''}
         INGOT_STATE=${ingot.stateDir} ./ingot ssh ${names[0] ?? ''}

Ctrl-C ends it and removes everything.`);
}
