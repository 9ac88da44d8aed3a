import type { RegionDeps } from '../deps.ts';
import type { AgentMachine } from './machine-rows.ts';
import { type AgentSession, holdSession } from './session-rows.ts';

/**
 * The agent reports of an attempt that has not heard of it: one that was handed the work instead of booting for it (or
 * the region died after it had traded the ticket). Only now is it sure to have the task, for its question may have been
 * answered into the void. False: the session was ended in this
 * very moment, and what it reports counts no more.
 */
export async function noteBegun(
  deps: RegionDeps,
  { machine, session }: { machine: AgentMachine; session: AgentSession },
): Promise<boolean> {
  if (machine.agentSeen || session.attemptId === null) return true;
  const command = { type: 'agent-session', actor: { kind: 'agent' }, attemptId: session.attemptId } as const;
  let held = true;
  await deps.door.apply(machine.systemId, command, undefined, async (trx) => {
    held = await holdSession(trx, session);
    return held;
  });
  return held;
}
