import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { startupSnapshot } from 'node:v8';
import { disksFromLsblk } from '@ingot/core/hardware/disks.ts';
import { parseCmdline } from './cmdline.ts';
import { devicesSettled } from './devices.ts';
import { collectInventory } from './inventory.ts';
import { leave } from './power.ts';
import { type RackClient, Refused, rackClient } from './rack-client.ts';
import { startReporter } from './reporter.ts';
import { openSession } from './session.ts';
import { allowSsh } from './ssh.ts';
import { carryOut, type Workplace } from './tasks.ts';
import { warm } from './warm.ts';

/** Seconds a question for work stays open at the region. */
const TASK_WAIT_SECONDS = 25;
/** Told to stay, the machine has time; and an order that comes again must not become a busy loop. */
const STAY_PAUSE_MS = 1000;
/** When the session is over: the machine waits for someone to switch it off, asking now and then. */
const ENDED_PAUSE_MS = 15_000;

function say(line: string): void {
  process.stdout.write(`ingot [${process.uptime().toFixed(1)}] ${line}\n`);
}

/** Entry: one session, then one task after the other until the region lets the machine go. */
async function main(): Promise<void> {
  const parsed = parseCmdline(await readFile('/proc/cmdline', 'utf8'));
  if (!parsed.ok) {
    say(`cannot work: ${parsed.problems.join(', ')}`);
    return stayUp();
  }
  const { boot } = parsed;
  let token: string | null = null;
  const client = rackClient(boot.agent, boot.pin, () => token, say);
  const session = await openSession(client, boot.ticket);
  token = session.token;
  say(`session for ${session.machine ?? 'an unknown machine'}: ${session.kind}`);
  void allowSsh(session.sshKeys, say);
  const reporter = startReporter(client, say);
  await work({ boot, client, reporter, ...looking() });
}

/** What the machine consists of, looked at when it is first asked for. */
function looking(): Pick<Workplace, 'devices' | 'inventory' | 'disks'> {
  const devices = once(devicesSettled);
  const inventory = once(async () => {
    await devices();
    return collectInventory();
  });
  const disks = once(async () => {
    const { lsblk, diskLinks } = await inventory();
    return disksFromLsblk(lsblk, diskLinks ?? {}, say);
  });
  return { devices, inventory, disks };
}

/** Work that is done at the first call; later calls get the same. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | null = null;
  return () => {
    started ??= work();
    return started;
  };
}

async function work(first: Workplace): Promise<void> {
  let place = first;
  for (;;) {
    const task = await nextTask(place.client);
    if (task === null) continue;
    say(`task: ${task.kind}`);
    const next = await carryOut(task, place);
    say(`next: ${next}`);
    if (next === 'poweroff' || next === 'reboot') {
      await place.reporter.flushed();
      place.reporter.stop();
      return leave(next);
    }
    if (next === 'stay') {
      await sleep(STAY_PAUSE_MS);
      // Work may come much later (fast track): by then a disk may have been pulled.
      place = { ...place, ...looking() };
    }
  }
}

async function nextTask(client: RackClient): ReturnType<RackClient['task']> {
  try {
    return await client.task(TASK_WAIT_SECONDS);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    say(`no more work in this session: ${error.message}`);
    await sleep(ENDED_PAUSE_MS);
    return null;
  }
}

/** A machine that cannot work stays up with its console readable; ending would only start the agent again. */
async function stayUp(): Promise<void> {
  for (;;) await sleep(3_600_000);
}

function live(): void {
  main().catch(async (error: unknown) => {
    say(`failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    if (error instanceof Refused) return stayUp();
    process.exitCode = 1;
  });
}

// Run with --build-snapshot, the program is only loaded; it lives where the snapshot is started.
if (startupSnapshot.isBuildingSnapshot()) {
  warm();
  startupSnapshot.setDeserializeMainFunction(live);
} else live();
