import type { Progress, ScriptOutcome } from '@ingot/contract/agent.ts';
import type { Phase } from '@ingot/core/machine/model.ts';
import type { Transaction } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { appendEvidence, appending, markAttemptsChanged } from '../evidence/rows.ts';
import { RESULT_STATUS } from '../lifecycle/result-status.ts';
import { tellingOf } from '../lifecycle/write-events.ts';
import { marking } from '../store/mark.ts';
import type { Tables } from '../store/schema.ts';
import { together } from '../store/together.ts';
import { type AgentRefusal, badRequest } from './agent-refusal.ts';
import { boundedStream } from './bounded-stream.ts';
import type { AgentMachine } from './machine-rows.ts';
import { statusEvents, type ToldResult, title } from './result-events.ts';
import { currentResult, finishing, notePhaseBytes, notingToolTime, pinging, starting } from './script-rows.ts';

/** What a script may run past its own timeout before the machine counts as stuck. */
const GRACE_MS = 300_000;

/** The agent's tools have deadlines of their own, of two minutes each; a slow machine needs one for all of them. */
const INVENTORY_LIMIT_MS = 600_000;

/** A step that moves bytes has this long until the next ones must have moved. */
const STEP_LIMIT_MS = 1_800_000;

const STATUS: Record<ScriptOutcome['status'], number> = {
  passed: RESULT_STATUS.passed,
  failed: RESULT_STATUS.failed,
  skipped: RESULT_STATUS.skipped,
  timedout: RESULT_STATUS.timedout,
  degraded: RESULT_STATUS.degraded,
};

async function enterPhase(
  deps: RegionDeps,
  machine: AgentMachine,
  attemptId: number,
  phase: Phase,
  text: string,
  limitMs?: number,
  alongside?: (trx: Transaction<Tables>) => Promise<boolean>,
): Promise<void> {
  const evidence = { kind: 'agent.progress', text };
  const command = { type: 'phase', actor: { kind: 'agent' }, attemptId, phase, evidence, limitMs } as const;
  await deps.door.apply(machine.systemId, command, undefined, alongside);
}

async function noteStarted(
  trx: Transaction<Tables>,
  machine: AgentMachine,
  result: ToldResult & { id: number },
): Promise<boolean> {
  const events = statusEvents(machine, result, RESULT_STATUS.running);
  const told = tellingOf([{ machine, events, actor: { kind: 'agent' }, caller: undefined }]);
  await together([starting(result.id), told, ...marking([machine])]).execute(trx);
  return true;
}

/** Undefined: the usual limit of such a phase. */
function limitOf(phase: Phase, script: { timeoutSeconds: number } | null): number | undefined {
  if (phase === 'step:inventory') return INVENTORY_LIMIT_MS;
  const limit = phase.startsWith('script:') && script ? script.timeoutSeconds * 1000 : 0;
  return limit > 0 ? limit + GRACE_MS : undefined;
}

/** Takes a step's or script's progress: phases, bytes, own time; any of it shows that the agent lives. */
export async function takeProgress(
  deps: RegionDeps,
  machine: AgentMachine,
  attemptId: number,
  progress: Progress,
): Promise<AgentRefusal | null> {
  await pinging(machine.id).execute(deps.db);
  if (progress.kind === 'heartbeat') return null;
  const phase: Phase = progress.kind === 'script' ? `script:${progress.name}` : `step:${progress.name}`;
  const result = progress.resultId === undefined ? null : await currentResult(deps.db, machine.id, progress.resultId);
  if (progress.kind === 'script' && !result) return badRequest('No result of this machine’s current work has that id.');
  if (progress.state === 'started') {
    await enterPhase(
      deps,
      machine,
      attemptId,
      phase,
      `${progress.name} started`,
      limitOf(phase, result),
      result?.status === RESULT_STATUS.pending ? (trx) => noteStarted(trx, machine, result) : undefined,
    );
    return null;
  }
  if (progress.bytesDone !== undefined) {
    const bytes = { done: progress.bytesDone, total: progress.bytesTotal ?? null };
    const late = await notePhaseBytes(deps.db, attemptId, phase, bytes);
    // Only bytes that grow move the deadline: a large disk takes hours, a stuck one must be noticed.
    if (late) await enterPhase(deps, machine, attemptId, phase, `${progress.name} goes on`, STEP_LIMIT_MS);
  }
  if (progress.state !== 'running') {
    const took = progress.seconds === undefined ? '' : ` after ${progress.seconds.toFixed(1)} s`;
    const said = progress.text ? `: ${progress.text}` : '';
    const text = `${progress.name} ${progress.state}${took}${said}`.slice(0, 1024);
    const { state, seconds, bytesDone } = progress;
    const data = { state, seconds: seconds ?? null, bytes: bytesDone ?? null };
    const seen = {
      attemptId,
      systemId: machine.systemId,
      mac: '',
      agoMs: 0,
      phase,
      kind: 'agent.progress',
      text,
      data,
    };
    const timed = seconds === undefined ? [] : [notingToolTime(attemptId, phase, seconds)];
    await together([...timed, appending([seen])]).execute(deps.db);
  }
  await markAttemptsChanged(deps.db, [attemptId]);
  deps.changes.announce();
  return null;
}

/** What a machine does while it enlists is told by its MAC; the evidence finds the attempt when there is one. */
export async function noteEnlistProgress(deps: RegionDeps, mac: string, progress: Progress): Promise<void> {
  if (progress.kind === 'heartbeat' || progress.state === 'running') return;
  const took = progress.seconds === undefined ? '' : ` after ${progress.seconds.toFixed(1)} s`;
  await appendEvidence(deps.db, [
    {
      attemptId: null,
      systemId: null,
      mac,
      agoMs: 0,
      phase: 'agent',
      kind: 'agent.progress',
      text: `${progress.name} ${progress.state}${took}`,
      data: { state: progress.state, seconds: progress.seconds ?? null },
    },
  ]);
}

/** Stores a script's outcome. The same outcome again overwrites the first: its answer may have been lost. */
export async function takeOutcome(
  deps: RegionDeps,
  machine: AgentMachine,
  attemptId: number,
  resultId: number,
  outcome: ScriptOutcome,
): Promise<AgentRefusal | null> {
  const result = await currentResult(deps.db, machine.id, resultId);
  if (!result) return badRequest('No result of this machine’s current work has that id.');
  const status = STATUS[outcome.status];
  const { seconds, exitStatus } = outcome;
  const finished = finishing(result.id, {
    status,
    exitStatus,
    seconds,
    output: boundedStream(Buffer.from(outcome.output, 'base64')),
    stdout: boundedStream(Buffer.from(outcome.stdout, 'base64')),
    stderr: boundedStream(Buffer.from(outcome.stderr, 'base64')),
    result: boundedStream(Buffer.from(outcome.result, 'base64')),
  });
  const phase = `script:${result.name}`;
  const text = `${title(result)} ${outcome.status}, exit ${exitStatus}, after ${seconds.toFixed(1)} s`;
  const seen = { attemptId, systemId: machine.systemId, mac: '', agoMs: 0, phase, kind: 'agent.result', text };
  const events = statusEvents(machine, result, status);
  await together([
    finished,
    pinging(machine.id),
    notingToolTime(attemptId, phase, seconds),
    appending([{ ...seen, data: { exitStatus, seconds } }]),
    tellingOf([{ machine, events, actor: { kind: 'agent' }, caller: undefined }]),
    ...marking([machine]),
  ]).execute(deps.db);
  deps.changes.announce();
  return null;
}
