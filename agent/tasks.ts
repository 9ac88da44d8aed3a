import type { Done, DoneReply, Inventory, ScriptOutcome, Task } from '@ingot/contract/agent.ts';
import type { DiskFact } from '@ingot/core/hardware/disks.ts';
import type { BootParameters } from './cmdline.ts';
import { enlist } from './enlist.ts';
import { eraseDisks } from './erase.ts';
import { install } from './install/install.ts';
import type { RackClient } from './rack-client.ts';
import type { Reporter } from './reporter.ts';
import { runScripts } from './run-scripts.ts';
import { scriptOutcome } from './script-outcome.ts';
import { reportedSteps } from './steps.ts';

export type Next = DoneReply['next'];

export interface Workplace {
  boot: BootParameters;
  client: RackClient;
  reporter: Reporter;
  /** Waits for the drivers and names of what is plugged in, once. */
  devices: () => Promise<void>;
  /** Collected once; later calls give the same. */
  inventory: () => Promise<Inventory>;
  /** Read from the inventory, once. */
  disks: () => Promise<DiskFact[]>;
}

/** Carry one task out to its reported end; returns what the region wants next. */
export async function carryOut(task: Task, place: Workplace): Promise<Next> {
  const { reporter } = place;
  switch (task.kind) {
    case 'enlist': {
      const reply = await enlist(place);
      reporter.say(`enlisted as ${reply.hostname} (${reply.machine})`);
      return reply.next;
    }
    case 'scripts': {
      const done = await runScripts({ ...place, task, rack: place.boot.rack });
      return finish(place, done);
    }
    case 'erase':
      return finish(place, await erase(task, place));
    case 'install':
      return finish(place, await installSystem(task, place));
    case 'rescue':
      reporter.report({ kind: 'step', name: 'rescue', state: 'finished', seconds: 0 });
      reporter.say('rescue: this system stays up until the region says otherwise');
      // The region must know before it is asked again, or it would order the same once more.
      await reporter.flushed();
      return 'stay';
    case 'leave':
      return task.next;
    default:
      return task satisfies never;
  }
}

async function finish(place: Workplace, done: Done): Promise<Next> {
  await place.reporter.flushed();
  return (await place.client.done(done)).next;
}

async function erase(task: Extract<Task, { kind: 'erase' }>, place: Workplace): Promise<Done> {
  const start = performance.now();
  const { reporter } = place;
  const steps = reportedSteps(reporter.report, task.resultId, reporter.say);
  const outcome = await steps.run('erase', (onProgress) =>
    eraseDisks({ secure: task.secure, quick: task.quick, log: steps.note, onProgress }),
  );
  reporter.result(task.resultId, closing(outcome.ok, steps.text(), start));
  return outcome.ok
    ? { outcome: 'ok', code: null, message: null, bmc: null }
    : { outcome: 'failed', code: outcome.code, message: outcome.message, bmc: null };
}

async function installSystem(task: Extract<Task, { kind: 'install' }>, place: Workplace): Promise<Done> {
  const start = performance.now();
  const { reporter } = place;
  const steps = reportedSteps(reporter.report, task.resultId, reporter.say);
  const outcome = await install(task.plan, place.boot.rack, steps, { kexec: task.kexec === true });
  reporter.result(task.resultId, closing(outcome.ok, steps.text(), start));
  return outcome.ok
    ? { outcome: 'ok', code: null, message: null, bmc: null, kexec: outcome.kexec }
    : { outcome: 'failed', code: outcome.code, message: outcome.message, bmc: null };
}

function closing(ok: boolean, text: string, start: number): ScriptOutcome {
  return scriptOutcome({
    exitStatus: ok ? 0 : 1,
    timedOut: false,
    stdout: text,
    stderr: '',
    combined: text,
    result: '',
    seconds: (performance.now() - start) / 1000,
  });
}
