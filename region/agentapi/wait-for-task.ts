import type { Task } from '@ingot/contract/agent.ts';
import type { RegionDeps } from '../deps.ts';
import { type AgentMachine, machineForAgent } from './machine-rows.ts';
import { type AgentSession, noteAsked, rememberClosing, sessionNow, takeHandedOver } from './session-rows.ts';
import { taskFor } from './task.ts';

/** The rack gives up on an answer after 100 s. */
const LONGEST_WAIT_S = 60;
const LOOK_EVERY_MS = 1000;

/** Resolves when the machine changes, at the latest after `ms`. */
function changeOf(deps: RegionDeps, systemId: string | null, ms: number): Promise<void> {
  return new Promise((resolve) => {
    let stop = (): void => {};
    const timer = setTimeout(finish, ms);
    function finish(): void {
      clearTimeout(timer);
      stop();
      resolve();
    }
    stop = deps.changes.subscribe((changes) => {
      if (changes.some(({ kind, key }) => kind === 'machine' && key === systemId)) finish();
    });
  });
}

/** An idle agent whose machine has work that no agent has begun. */
function isOfferedWork({ closing, attemptId }: AgentSession, machine: AgentMachine | null): boolean {
  const open = machine?.attemptId ?? null;
  return closing === 'stay' && open !== null && open !== attemptId && machine?.agentSeen === false;
}

/**
 * The session's task now, or as soon as there is one within `seconds`; null when there is none by then. An installation
 * that cannot be planned fails the attempt here, and the machine is told to go off.
 */
export async function waitForTask(
  deps: RegionDeps,
  asking: AgentSession,
  rackUrl: string | null,
  seconds: number,
  gone: () => boolean,
): Promise<Task | null> {
  const until = performance.now() + Math.min(Math.max(0, seconds), LONGEST_WAIT_S) * 1000;
  // Whoever was told to stay may be handed other work, or be let go, while it waits here.
  const stays = asking.closing === 'stay';
  if (stays) await noteAsked(deps.db, asking);
  for (;;) {
    const session = stays ? await sessionNow(deps.db, asking.tokenHash) : asking;
    // Asked again, it hears that its session has ended.
    if (session === null) return null;
    const machine = session.systemId === null ? null : await machineForAgent(deps.db, session.systemId);
    // Deleted while it waited.
    if (session.systemId !== null && !machine) return { kind: 'leave', next: 'poweroff' };
    if (isOfferedWork(session, machine) && (await takeHandedOver(deps.db, session))) continue;
    const task = await taskFor(deps, session, machine, rackUrl);
    if (task?.kind === 'refused' && machine && session.attemptId !== null) {
      const { attemptId } = session;
      const { failure } = task;
      const actor = { kind: 'agent' } as const;
      await deps.door.apply(machine.systemId, { type: 'agent-done', actor, attemptId, outcome: 'failed', failure });
      await rememberClosing(deps.db, session, 'poweroff');
      return { kind: 'leave', next: 'poweroff' };
    }
    if (task && task.kind !== 'refused') return task;
    const left = until - performance.now();
    if (left <= 0 || gone()) return null;
    await changeOf(deps, session.systemId, Math.min(left, LOOK_EVERY_MS));
  }
}
