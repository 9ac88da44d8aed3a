import type { Done, DoneReply } from '@ingot/contract/agent.ts';
import { failure, isCode } from '@ingot/core/machine/catalogue.ts';
import { KEXEC } from '@ingot/core/machine/deploying.ts';
import { FAST_TRACK } from '@ingot/core/machine/draft.ts';
import type { Failure, MachineState } from '@ingot/core/machine/model.ts';
import type { RegionDeps } from '../deps.ts';
import { appendEvidence } from '../evidence/rows.ts';
import { RESULT_STATUS, type SetKind } from '../lifecycle/result-status.ts';
import { storeBmc } from './bmc.ts';
import type { AgentMachine } from './machine-rows.ts';
import { finishing, isUnfinished, type ResultRow, resultsOfSet } from './script-rows.ts';
import { type AgentSession, rememberClosing } from './session-rows.ts';

const FAILED: readonly number[] = [
  RESULT_STATUS.failed,
  RESULT_STATUS.timedout,
  RESULT_STATUS.failedInstalling,
  RESULT_STATUS.failedApplyingNetconf,
];

/** What the agent says went wrong, under its own code if that is one of ours. */
function reportedFailure(done: Done): Failure | null {
  const detail = done.message ?? '';
  return done.code !== null && isCode(done.code) ? failure(done.code, { detail }, done.message) : null;
}

function failedScripts(rows: readonly ResultRow[], code: 'script.failed' | 'test.failed'): Failure | null {
  const failed = rows.filter((row) => FAILED.includes(row.status));
  if (failed.length === 0) return null;
  const names = failed.map((row) => (row.disk === null ? row.name : `${row.name} on ${row.disk}`));
  const listed = `${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`;
  // One that failed says more than those that took too long.
  const onlyLate = failed.every((row) => row.status === RESULT_STATUS.timedout);
  return onlyLate
    ? failure('script.timedout', { detail: `${listed} ran past the time limit.` })
    : failure(code, { detail: `${listed} failed.` });
}

type Next = DoneReply['next'];

/** Whoever may log in keeps the machine, and so does a fast track; otherwise it goes off, as the lifecycle wants it to. */
function leaving(enableSsh: boolean, waitsFor: string | null): Next {
  return enableSsh || waitsFor === FAST_TRACK ? 'stay' : 'poweroff';
}

const leavingNow = ({ row }: AgentMachine) => leaving(row.enable_ssh, row.waiting_code);

/** Ends the attempt; the machine as that left it, whatever comes to it next. Null when it was refused. */
async function close(
  deps: RegionDeps,
  machine: AgentMachine,
  attemptId: number,
  outcome: { failure: Failure | null; failed: boolean; testing?: boolean },
): Promise<MachineState | null> {
  const applied = await deps.door.apply(machine.systemId, {
    type: 'agent-done',
    actor: { kind: 'agent' },
    attemptId,
    outcome: outcome.failed || outcome.failure !== null ? 'failed' : 'ok',
    ...(outcome.failure ? { failure: outcome.failure } : {}),
    ...(outcome.testing === undefined ? {} : { testing: outcome.testing }),
  });
  return applied.ok ? applied.machine : null;
}

async function scriptsDone(deps: RegionDeps, machine: AgentMachine, attemptId: number, done: Done): Promise<Next> {
  const commissioning = machine.status === 'COMMISSIONING';
  const rows = await resultsOfSet(deps.db, machine.id, commissioning ? 'commissioning' : 'testing');
  // Also the answer to a "done" that is asked again after its follow-up task was made.
  if (done.outcome === 'ok' && rows.some(isUnfinished)) return 'task';
  if (done.bmc && commissioning && !machine.row.skip_bmc_config) {
    await storeBmc(deps, machine.systemId, attemptId, done.bmc);
  }
  const tests = commissioning ? await resultsOfSet(deps.db, machine.id, 'testing') : [];
  const problem = failedScripts(rows, commissioning ? 'script.failed' : 'test.failed') ?? reportedFailure(done);
  const outcome = { failure: problem, failed: done.outcome === 'failed', testing: tests.some(isUnfinished) };
  const after = await close(deps, machine, attemptId, outcome);
  if (after === null) return leavingNow(machine);
  if (after.status === 'TESTING') return 'task';
  // A tested machine with a system of its own is power-cycled back into it.
  return after.status === 'DEPLOYED' ? 'stay' : leaving(after.enableSsh, after.waitingFor?.code ?? null);
}

/** The closing word counts for results that the agent reported no outcome of. */
async function settleResults(deps: RegionDeps, machine: AgentMachine, kind: SetKind, done: Done): Promise<void> {
  const rows = await resultsOfSet(deps.db, machine.id, kind);
  const text = Buffer.from(done.message === null ? '' : `${done.message}\n`);
  for (const row of rows.filter(isUnfinished)) {
    const finished = finishing(row.id, {
      status: done.outcome === 'ok' ? RESULT_STATUS.passed : RESULT_STATUS.failed,
      exitStatus: done.outcome === 'ok' ? 0 : 1,
      seconds: 0,
      output: text,
      stdout: text,
      stderr: Buffer.alloc(0),
      result: Buffer.alloc(0),
    });
    await finished.execute(deps.db);
  }
}

async function installDone(deps: RegionDeps, machine: AgentMachine, attemptId: number, done: Done): Promise<Next> {
  await settleResults(deps, machine, 'installation', done);
  if (done.outcome === 'failed') {
    await close(deps, machine, attemptId, { failure: reportedFailure(done), failed: true });
    return leavingNow(machine);
  }
  const kexec = done.kexec === true;
  await deps.door.apply(machine.systemId, { type: 'installed', actor: { kind: 'agent' }, attemptId, kexec });
  if (kexec) {
    const seen = { attemptId, systemId: machine.systemId, mac: '', agoMs: 0, phase: 'reboot' };
    await appendEvidence(deps.db, [{ ...seen, kind: 'agent.kexec', text: KEXEC, data: {} }]);
  }
  return 'reboot';
}

async function releaseDone(deps: RegionDeps, machine: AgentMachine, attemptId: number, done: Done): Promise<Next> {
  if (machine.status === 'RELEASING' && done.outcome === 'ok') {
    const rows = await resultsOfSet(deps.db, machine.id, 'release');
    if (rows.some(isUnfinished)) return 'task';
  }
  await settleResults(deps, machine, 'release', done);
  await close(deps, machine, attemptId, { failure: reportedFailure(done), failed: done.outcome === 'failed' });
  return 'poweroff';
}

async function nextAfter(
  deps: RegionDeps,
  session: AgentSession,
  machine: AgentMachine,
  attemptId: number,
  done: Done,
): Promise<Next> {
  if (session.over || machine.attemptId !== attemptId) {
    if (machine.status === 'RESCUE_MODE' && machine.row.attempt_id === attemptId) return 'stay';
    return machine.row.attempt_id === attemptId ? leavingNow(machine) : 'poweroff';
  }
  switch (machine.status) {
    case 'COMMISSIONING':
    case 'TESTING':
      return scriptsDone(deps, machine, attemptId, done);
    case 'DEPLOYING':
      return installDone(deps, machine, attemptId, done);
    case 'DISK_ERASING':
    case 'RELEASING':
      return releaseDone(deps, machine, attemptId, done);
    case 'ENTERING_RESCUE_MODE':
      await close(deps, machine, attemptId, { failure: reportedFailure(done), failed: done.outcome === 'failed' });
      return done.outcome === 'ok' ? 'stay' : leavingNow(machine);
    default:
      return 'poweroff';
  }
}

/**
 * The agent's closing word about its task. May be said again: the answer to a lost one is the same, because it follows
 * from the machine's state, or is the one remembered with the session.
 */
export async function takeDone(
  deps: RegionDeps,
  session: AgentSession,
  machine: AgentMachine,
  attemptId: number,
  done: Done,
): Promise<DoneReply> {
  if (session.over && session.closing !== null) return { next: session.closing };
  const next = await nextAfter(deps, session, machine, attemptId, done);
  await rememberClosing(deps.db, session, next === 'task' ? null : next);
  return { next };
}
