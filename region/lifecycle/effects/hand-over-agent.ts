import { sql } from 'kysely';
import type { EffectContext } from './context.ts';

/**
 * The session of the agent that waits becomes one of the attempt that was just opened, as if it had booted for it. If it
 * went in this very moment the attempt's short deadline notices. One that has not asked since it was told to stay may
 * not have heard that yet, and would say again that its old work is done: it is handed this when it asks
 * (takeHandedOver in agentapi/session-rows.ts).
 */
export async function handOverAgent({ trx, machine }: EffectContext): Promise<void> {
  if (machine.attempt === null) return;
  await sql`
    UPDATE agent_sessions SET attempt_id = ${machine.attempt.id}, closing = NULL, asked = NULL
    WHERE token_hash = (SELECT token_hash FROM agent_sessions
      WHERE system_id = ${machine.systemId} AND closing = 'stay' AND asked IS NOT NULL ORDER BY asked DESC LIMIT 1)`.execute(
    trx,
  );
}

/** Ends the session of the open attempt, so that an agent which comes late takes nothing any more. */
export async function dismissAgent({ trx, machine }: EffectContext): Promise<void> {
  if (machine.attempt === null) return;
  await trx.deleteFrom('agent_sessions').where('attempt_id', '=', machine.attempt.id).execute();
}
