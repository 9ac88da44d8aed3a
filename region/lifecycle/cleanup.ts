import { sql } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { CHANGES_KEPT_MS } from '../store/changes.ts';

const ATTEMPTS_KEPT = 20;
/** Longest that an OAuth timestamp is accepted, with room. */
const NONCES_KEPT_SECONDS = 900;
const WORK_KEPT_SECONDS = 7 * 86_400;
const LOOSE_EVIDENCE_SECONDS = 86_400;
const LEASES_KEPT_SECONDS = 30 * 86_400;

const olderThan = (seconds: number) => sql`now() - make_interval(secs => ${seconds})`;

/** Forgets what is over: old changes, nonces, sessions, tickets, orders, leases, and attempts beyond 20 a machine. */
export async function cleanUp({ db }: Pick<RegionDeps, 'db'>): Promise<void> {
  await sql`DELETE FROM changes WHERE at < ${olderThan(CHANGES_KEPT_MS / 1000)}`.execute(db);
  await sql`DELETE FROM oauth_nonces WHERE seen < ${olderThan(NONCES_KEPT_SECONDS)}`.execute(db);
  await sql`DELETE FROM sessions WHERE expires < now()`.execute(db);
  await sql`DELETE FROM agent_sessions WHERE expires < ${olderThan(86_400)}`.execute(db);
  await sql`DELETE FROM used_tickets WHERE used < ${olderThan(86_400)}`.execute(db);
  await sql`DELETE FROM rack_tokens WHERE expires < ${olderThan(86_400)}`.execute(db);
  await sql`DELETE FROM rack_work WHERE state = 'done' AND finished < ${olderThan(WORK_KEPT_SECONDS)}`.execute(db);
  await sql`DELETE FROM leases WHERE expires < ${olderThan(LEASES_KEPT_SECONDS)}`.execute(db);
  await sql`DELETE FROM evidence WHERE attempt_id IS NULL AND at < ${olderThan(LOOSE_EVIDENCE_SECONDS)}`.execute(db);
  await sql`
    DELETE FROM attempts WHERE ended IS NOT NULL AND id IN (
      SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY system_id ORDER BY id DESC) AS place FROM attempts) ranked
      WHERE place > ${ATTEMPTS_KEPT})
    AND NOT EXISTS (SELECT 1 FROM machines m WHERE m.attempt_id = attempts.id)`.execute(db);
}
