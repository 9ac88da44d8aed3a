import { AttemptView, MachineView } from '@ingot/contract/native.ts';
import * as z from 'zod';
import { Unreachable } from '../client/request.ts';
import { CliFailure, EXIT, type ExitCode } from '../failure.ts';
import { paintStatus } from '../format/machines.ts';
import { timeline } from '../format/timeline.ts';
import type { Session } from '../session.ts';
import { phaseDisplay } from './phase-display.ts';

const POLL_MS = 500;

/**
 * Follows the work on a machine until nothing is open any more: also over the end of one attempt into the next (tests
 * after commissioning). A region that is away for a while is waited for within the same time. Ctrl-C stops the waiting,
 * not the work. Ends with 0 passed, 1 failed or aborted, 3 too long. Whoever only switches the power (`wanted`) is served
 * once it changes to that: a first boot that is still open then has its own deadline, half an hour away.
 */
export async function waitForWork(
  session: Session,
  begun: MachineView,
  timeoutMs: number,
  wanted?: 'on' | 'off',
): Promise<ExitCode> {
  const { context, client, colours } = session;
  const deadline = Date.now() + timeoutMs;
  const display = phaseDisplay(context.stderr, context.live && !session.json, colours);
  const path = `/machines/${encodeURIComponent(begun.systemId)}`;
  const followed = new Set<number>();
  if (begun.attempt?.endedAt === null) followed.add(begun.attempt.id);
  const interrupted = onInterrupt();
  let machine: MachineView = begun;
  try {
    for (;;) {
      if (machine.attempt) {
        if (machine.attempt.endedAt === null) followed.add(machine.attempt.id);
        if (followed.has(machine.attempt.id)) display.show(machine.hostname, machine.attempt, Date.now());
      }
      if (machine.attempt?.endedAt !== null && isAtRest(machine)) break;
      if (begun.powerState !== wanted && machine.powerState === wanted) {
        display.done();
        return printed(session, machine, []);
      }
      if (Date.now() >= deadline) throw tooLong(machine, timeoutMs);
      if (await interrupted.within(POLL_MS)) {
        display.done();
        const { hostname } = machine;
        context.stderr.write(`Not waiting any longer; the work goes on. See: ingot machine ${hostname}\n`);
        return EXIT.interrupted;
      }
      const seen = await look(session, path, deadline);
      if (seen === 'away') continue;
      if (seen === 'gone') {
        display.done();
        session.print({ systemId: begun.systemId, gone: true }, () => `${begun.hostname} is gone.\n`);
        return EXIT.ok;
      }
      machine = seen;
    }
  } finally {
    interrupted.stop();
    display.done();
  }
  const attempts = await client.get(`${path}/attempts`, z.array(AttemptView));
  const outcome = attempts.filter((attempt) => followed.has(attempt.id));
  const failed = outcome.find((attempt) => attempt.outcome !== 'passed');
  printed(session, machine, outcome);
  if (!failed) return EXIT.ok;
  context.stderr.write(timeline({ ...failed, phases: [] }, [], Date.now(), colours));
  return EXIT.failed;
}

function printed(session: Session, machine: MachineView, attempts: AttemptView[]): ExitCode {
  session.print({ ...machine, attempts }, () => `${machine.hostname}: ${paintStatus(machine, session.colours)}\n`);
  return EXIT.ok;
}

/** A region that is being restarted is no reason to give up; anything else that it answers is. */
async function look(session: Session, path: string, deadline: number): Promise<MachineView | 'away' | 'gone'> {
  try {
    return await session.client.get(path, MachineView);
  } catch (error) {
    if (error instanceof Unreachable && Date.now() < deadline) return 'away';
    if (error instanceof CliFailure && error.code === 'not_found') return 'gone';
    throw error;
  }
}

function tooLong(machine: MachineView, timeoutMs: number): CliFailure {
  return new CliFailure(`${machine.hostname} is still ${machine.statusName} after ${Math.round(timeoutMs / 1000)} s`, {
    exitCode: EXIT.timeout,
    fix: `the work goes on; see: ingot machine ${machine.hostname}`,
  });
}

function onInterrupt(): { within(ms: number): Promise<boolean>; stop(): void } {
  let asked = false;
  let wake: () => void = () => undefined;
  const listener = () => {
    asked = true;
    wake();
  };
  process.on('SIGINT', listener);
  return {
    within: (ms) =>
      new Promise((resolve) => {
        if (asked) return resolve(true);
        const timer = setTimeout(() => resolve(asked), ms);
        wake = () => {
          clearTimeout(timer);
          resolve(true);
        };
      }),
    stop: () => process.off('SIGINT', listener),
  };
}

/** Nothing of it goes on: a machine that stays on for more work (fast track) is at rest. */
function isAtRest({ waitingFor }: MachineView): boolean {
  return waitingFor === null || waitingFor.code === 'fast-track';
}
