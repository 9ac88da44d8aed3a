import type { RegionDeps } from '../deps.ts';
import type { AgentMachine } from './machine-rows.ts';
import { type AgentSession, holdSession } from './session-rows.ts';

/**
 * The agent reports of an attempt that has not heard of it: one that was handed the work instead of booting for it (or
 * the region died after it had traded the ticket). Only now is it sure to have the task, for its question may have been
 * answered into the void. A session that was ended meanwhile begins nothing.
 */
export async function noteBegun(
  deps: RegionDeps,
  { machine, session }: { machine: AgentMachine; session: AgentSession },
): Promise<void> {
  if (machine.agentSeen || session.attemptId === null) return;
  const command = { type: 'agent-session', actor: { kind: 'agent' }, attemptId: session.attemptId } as const;
  await deps.door.apply(machine.systemId, command, undefined, (trx) => holdSession(trx, session));
}
