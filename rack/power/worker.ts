import { setTimeout as delay } from 'node:timers/promises';
import type { PowerOutcome, PowerWork } from '@ingot/contract/rack.ts';
import type { Logger } from 'pino';
import type { EvidenceQueue } from '../evidence/evidence.ts';
import { convergePower, SOFT_OFF_MS } from './converge.ts';
import type { PowerDriver } from './driver.ts';
import { ipmiDriver } from './ipmi-driver.ts';
import type { Journal } from './journal.ts';
import { manualDriver } from './manual-driver.ts';
import { redfishDriver } from './redfish-driver.ts';
import { webhookDriver } from './webhook-driver.ts';

export const DRIVERS: readonly PowerDriver[] = [ipmiDriver, manualDriver, redfishDriver, webhookDriver];

export interface PowerWorker {
  /** Takes work in; the same id again is the same work. */
  submit(work: PowerWork): void;
  /** The region has the outcome. */
  acknowledge(id: number): void;
  /** Outcomes that the region has not acknowledged. */
  unacknowledged(): { id: number; outcome: PowerOutcome }[];
  running(): number;
  /** Gives running work up; it is taken up again when the region sends it to the next process. */
  stop(): Promise<void>;
}

export interface PowerWorkerOptions {
  journal: Journal;
  evidence: EvidenceQueue;
  log: Logger;
  /** Tells the region; may be lost, then it is told again from `unacknowledged`. */
  report(id: number, outcome: PowerOutcome): void;
  drivers?: readonly PowerDriver[];
  concurrency?: number;
  softOffMs?: number;
}

/** A session is seven round trips and BMCs take their time over each: places are cheap, waiting in line is not. */
const CONCURRENCY = 256;
/**
 * Work that takes longer than this waits for something: a silent BMC, a machine that shuts down. It holds its place no
 * more, so that a hall's dead BMCs keep nobody waiting.
 */
const LASTING_MS = 1000;
/** With what lasts; each has a socket. */
const MOST_ACTIVE = 2048;
const WAITING_LIMIT = 10_000;
/** A dead BMC takes 90 s of tries; soft-off may take its minute before. */
const WORK_DEADLINE_MS = 300_000;

export function createPowerWorker(options: PowerWorkerOptions): PowerWorker {
  const { journal, log } = options;
  const drivers = new Map((options.drivers ?? DRIVERS).map((driver) => [driver.schema.name, driver]));
  const waiting: PowerWork[] = [];
  const active = new Map<number, { work: PowerWork; giveUp: AbortController; done: Promise<void> }>();
  /** Machines of `active`. */
  const busy = new Set<string>();
  /** Of `active`: what has run so long that it no longer holds a place. */
  const lasting = new Set<number>();
  const finished = new Map<number, PowerOutcome>();
  let stopped = false;
  for (const entry of journal.entries()) if (entry.outcome) finished.set(entry.id, entry.outcome);

  /** Never two sessions to one machine's BMC. */
  const isBusy = (systemId: string) => busy.has(systemId);
  const hasRoom = () => active.size - lasting.size < (options.concurrency ?? CONCURRENCY) && active.size < MOST_ACTIVE;

  function startSome(): void {
    while (!stopped && hasRoom()) {
      const next = waiting.findIndex((work) => !isBusy(work.systemId));
      const [work] = next < 0 ? [] : waiting.splice(next, 1);
      if (!work) return;
      start(work);
    }
  }

  function start(work: PowerWork): void {
    const giveUp = new AbortController();
    const deadline = setTimeout(() => giveUp.abort(), WORK_DEADLINE_MS).unref();
    const lasts = setTimeout(() => {
      lasting.add(work.id);
      startSome();
    }, LASTING_MS).unref();
    busy.add(work.systemId);
    const done = run(work, giveUp.signal)
      .catch((error: unknown) => log.error({ err: error, work: work.id }, 'power work failed'))
      .finally(() => {
        clearTimeout(deadline);
        clearTimeout(lasts);
        active.delete(work.id);
        lasting.delete(work.id);
        busy.delete(work.systemId);
        startSome();
      });
    active.set(work.id, { work, giveUp, done });
  }

  async function run(work: PowerWork, signal: AbortSignal): Promise<void> {
    const started = performance.now();
    const written = { id: work.id, systemId: work.systemId, action: work.action, generation: work.generation };
    // A query changes nothing: it needs no record.
    const recorded = work.action !== 'query';
    const resumeAt = journal.entry(work.id)?.step ?? null;
    const note = (text: string) =>
      options.evidence.add({
        kind: 'power.call',
        mac: '',
        address: work.parameters.power_address ?? '',
        systemId: work.systemId,
        attempt: work.attempt,
        text,
        data: { action: work.action, work: work.id },
      });
    if (resumeAt !== null) note(`taking up power ${work.action} again after a restart`);
    const driver = drivers.get(work.powerType);
    let step = resumeAt;
    const outcome: PowerOutcome =
      driver === undefined
        ? {
            ok: false,
            class: 'setting',
            message: `Missing or invalid power setting: unknown power type ${work.powerType}`,
          }
        : await convergePower(
            work,
            driver,
            { signal, note, systemId: work.systemId, hardwareUuid: work.hardwareUuid ?? null },
            {
              sleep: (ms, abort) => delay(ms, undefined, { signal: abort }).then(() => undefined),
              now: () => performance.now(),
              mark: async (next) => {
                // Repeats of one step need no new record.
                if (step === next && journal.entry(work.id) !== null) return;
                step = next;
                await journal.write({ ...written, step: next, outcome: null });
              },
              resumeAt,
              softOffMs: options.softOffMs ?? SOFT_OFF_MS,
            },
          );
    // Given up because the rack stops: the region still has the work and sends it again.
    if (stopped && !outcome.ok && signal.aborted) return;
    if (recorded) await journal.write({ ...written, step, outcome });
    const seconds = ((performance.now() - started) / 1000).toFixed(2);
    note(`power ${work.action}: ${outcome.ok ? outcome.state : outcome.message} (${seconds} s)`);
    // A look that succeeded is no news: thousands come every few minutes.
    const level = recorded || !outcome.ok ? 'info' : 'debug';
    log[level]({ work: work.id, machine: work.systemId, action: work.action, outcome, seconds }, 'power work done');
    finished.set(work.id, outcome);
    options.report(work.id, outcome);
  }

  /** What was wanted before is not wanted any more; a query is no want. */
  function giveUpOlder(work: PowerWork): void {
    if (work.action === 'query') return;
    const isOlder = (other: PowerWork) => other.systemId === work.systemId && other.generation < work.generation;
    for (const { work: other, giveUp } of active.values()) if (isOlder(other)) giveUp.abort();
    for (const other of waiting.filter((each) => isOlder(each) && each.action !== 'query')) {
      waiting.splice(waiting.indexOf(other), 1);
      options.report(other.id, {
        ok: false,
        class: 'action',
        message: 'Failed to complete power action: a newer order came',
      });
    }
  }

  return {
    submit: (work) => {
      if (stopped || active.has(work.id) || waiting.some((each) => each.id === work.id)) return;
      const outcome = finished.get(work.id);
      if (outcome) {
        options.report(work.id, outcome);
        return;
      }
      if (waiting.length >= WAITING_LIMIT) {
        options.report(work.id, {
          ok: false,
          class: 'action',
          message: 'Failed to complete power action: the rack is busy',
        });
        return;
      }
      giveUpOlder(work);
      waiting.push(work);
      startSome();
    },
    acknowledge: (id) => {
      finished.delete(id);
      journal.remove(id).catch((error: unknown) => log.warn({ err: error, id }, 'work record not removed'));
    },
    unacknowledged: () => [...finished].map(([id, outcome]) => ({ id, outcome })),
    running: () => active.size,
    stop: async () => {
      stopped = true;
      for (const { giveUp } of active.values()) giveUp.abort();
      await Promise.all([...active.values()].map(({ done }) => done));
    },
  };
}
