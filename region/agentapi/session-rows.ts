import { createHash, randomBytes } from 'node:crypto';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Tables } from '../store/schema.ts';

type Db = Kysely<Tables> | Transaction<Tables>;

/** A backstop only: a session really ends with its attempt. Long enough to overwrite the largest disk. */
const SESSION_DAYS = 14;
/** After its attempt ended a session may still hear the answer that it missed. */
const AFTERGLOW = "interval '30 minutes'";

export type Closing = 'poweroff' | 'reboot' | 'stay';
const CLOSINGS: readonly string[] = ['poweroff', 'reboot', 'stay'] satisfies Closing[];

function isClosing(text: string | null): text is Closing {
  return text !== null && CLOSINGS.includes(text);
}

export interface AgentSession {
  tokenHash: Buffer;
  attemptId: number | null;
  systemId: string | null;
  mac: string;
  rackId: string;
  nonce: string;
  firmware: 'bios' | 'uefi';
  used: boolean;
  /** The answer to the last "done". */
  closing: Closing | null;
  /** Its attempt has ended; only the closing answer may be heard again. */
  over: boolean;
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

export interface NewSession {
  attemptId: number | null;
  systemId: string | null;
  mac: string;
  rackId: string;
  address: string;
  nonce: string;
  firmware: 'bios' | 'uefi';
}

/** Makes a session and returns its token, which is stored nowhere. Older sessions of the attempt or MAC end. */
export async function insertSession(db: Db, session: NewSession): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  let old = db.deleteFrom('agent_sessions');
  old =
    session.attemptId === null
      ? old.where('mac', '=', session.mac).where('attempt_id', 'is', null)
      : old.where('attempt_id', '=', session.attemptId);
  await old.execute();
  await db
    .insertInto('agent_sessions')
    .values({
      token_hash: hashOf(token),
      attempt_id: session.attemptId,
      system_id: session.systemId,
      mac: session.mac,
      rack_id: session.rackId,
      address: session.address,
      nonce: session.nonce,
      firmware: session.firmware,
      expires: sql<Date>`now() + ${SESSION_DAYS} * interval '1 day'`,
    })
    .execute();
  return token;
}

/** The session that a ticket was traded for, if it is still open. */
export async function sessionOfNonce(
  db: Db,
  nonce: string,
): Promise<{ mac: string; address: string | null; used: boolean } | null> {
  const row = await db
    .selectFrom('agent_sessions')
    .select(['mac', sql<string | null>`host(address)`.as('address'), 'used'])
    .where('nonce', '=', nonce)
    .executeTakeFirst();
  return row ? { mac: row.mac, address: row.address, used: row.used !== null } : null;
}

export async function ticketIsUsed(db: Db, nonce: string): Promise<boolean> {
  return (
    (await db.selectFrom('used_tickets').select('nonce').where('nonce', '=', nonce).executeTakeFirst()) !== undefined
  );
}

/** The open session of a bearer token, or null. */
export function findSession(db: Db, token: string): Promise<AgentSession | null> {
  return sessionNow(db, hashOf(token));
}

/** What has become of a session meanwhile; null when it has ended. */
export async function sessionNow(db: Db, tokenHash: Buffer): Promise<AgentSession | null> {
  const row = await db
    .selectFrom('agent_sessions')
    .leftJoin('attempts', 'attempts.id', 'agent_sessions.attempt_id')
    .select([
      'agent_sessions.token_hash',
      'agent_sessions.attempt_id',
      'agent_sessions.system_id',
      'agent_sessions.mac',
      'agent_sessions.rack_id',
      'agent_sessions.nonce',
      'agent_sessions.firmware',
      'agent_sessions.used',
      'agent_sessions.closing',
      'attempts.ended',
    ])
    .where('token_hash', '=', tokenHash)
    .where('expires', '>', sql<Date>`now()`)
    .where((eb) =>
      eb.or([
        eb('attempts.ended', 'is', null),
        // Told to stay, it keeps asking for as long as a person is logged in.
        eb('agent_sessions.closing', '=', 'stay'),
        // The rescue system works on after the attempt of entering it.
        eb.exists(
          eb
            .selectFrom('machines as m')
            .select('m.id')
            .whereRef('m.attempt_id', '=', 'agent_sessions.attempt_id')
            .where('m.status', '=', 'RESCUE_MODE'),
        ),
        sql<boolean>`attempts.ended > now() - ${sql.raw(AFTERGLOW)}`,
      ]),
    )
    .executeTakeFirst();
  if (!row) return null;
  return {
    tokenHash: row.token_hash,
    attemptId: row.attempt_id,
    systemId: row.system_id,
    mac: row.mac,
    rackId: row.rack_id,
    nonce: row.nonce,
    firmware: row.firmware === 'uefi' ? 'uefi' : 'bios',
    used: row.used !== null,
    closing: isClosing(row.closing) ? row.closing : null,
    over: row.ended !== null,
  };
}

/** The first use of a token spends its ticket for good: from here on a second trade is somebody else's. */
export async function spendTicket(db: Db, session: AgentSession): Promise<void> {
  await db
    .insertInto('used_tickets')
    .values({ nonce: session.nonce })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await db
    .updateTable('agent_sessions')
    .set({ used: sql<Date>`now()` })
    .where('token_hash', '=', session.tokenHash)
    .execute();
}

export async function rememberClosing(db: Db, session: AgentSession, closing: Closing | null): Promise<void> {
  await db
    .updateTable('agent_sessions')
    .set({ closing, asked: null })
    .where('token_hash', '=', session.tokenHash)
    .execute();
}

/** It was told to stay and asks for work: it has heard that, so the session may be handed other work. */
export async function noteAsked(db: Db, session: AgentSession): Promise<void> {
  await db
    .updateTable('agent_sessions')
    .set({ asked: sql<Date>`now()` })
    .where('token_hash', '=', session.tokenHash)
    .where('closing', '=', 'stay')
    .execute();
}

/**
 * An agent that was told to stay takes the work which was ordered before it first asked: its session becomes that
 * attempt's. False: no work waits for it. Under the machine's lock, as the door works, which may give up waiting for it
 * in this moment.
 */
export function takeHandedOver(db: Kysely<Tables>, session: AgentSession): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    await sql`SELECT FROM machines WHERE system_id = ${session.systemId} FOR NO KEY UPDATE`.execute(trx);
    const { numAffectedRows } = await sql`
      UPDATE agent_sessions s SET attempt_id = a.id, closing = NULL, asked = NULL
      FROM machines m JOIN attempts a ON a.id = m.attempt_id
      WHERE s.token_hash = ${session.tokenHash} AND s.closing = 'stay' AND s.asked IS NOT NULL
        AND m.system_id = s.system_id AND a.id IS DISTINCT FROM s.attempt_id
        AND a.ended IS NULL AND a.phase = 'agent' AND a.phase_since = a.started AND NOT a.agent_seen
        AND NOT EXISTS (SELECT FROM agent_sessions other WHERE other.attempt_id = a.id)`.execute(trx);
    return numAffectedRows === 1n;
  });
}

/** Holds the session's row, if it has not ended, until the transaction does. */
export async function holdSession(trx: Transaction<Tables>, session: AgentSession): Promise<boolean> {
  const row = await trx
    .selectFrom('agent_sessions')
    .select('nonce')
    .where('token_hash', '=', session.tokenHash)
    .where('attempt_id', '=', session.attemptId)
    .forShare()
    .executeTakeFirst();
  return row !== undefined;
}

/** The machine that an enlistment has become. */
export async function rememberMachine(db: Db, session: AgentSession, systemId: string): Promise<void> {
  await db
    .updateTable('agent_sessions')
    .set({ system_id: systemId })
    .where('token_hash', '=', session.tokenHash)
    .execute();
}

/** The newest ticket of an attempt, by the rack's clock. */
export interface AttemptTicket {
  systemId: string;
  kind: string;
  phase: string;
  ended: boolean;
  nonce: string | null;
  issued: number | null;
}

/** Locks the attempt's row until the transaction ends, so that two trades of its tickets come one after the other. */
export async function lockAttempt(tx: Transaction<Tables>, attemptId: number): Promise<AttemptTicket | null> {
  const row = await tx
    .selectFrom('attempts')
    .select(['system_id', 'kind', 'phase', 'ended', 'ticket_nonce', 'ticket_issued'])
    .where('id', '=', attemptId)
    .forUpdate()
    .executeTakeFirst();
  return row
    ? {
        systemId: row.system_id,
        kind: row.kind,
        phase: row.phase,
        ended: row.ended !== null,
        nonce: row.ticket_nonce,
        issued: row.ticket_issued,
      }
    : null;
}

export async function noteTicket(db: Db, attemptId: number, nonce: string, issued: number): Promise<void> {
  await db
    .updateTable('attempts')
    .set({ ticket_nonce: nonce, ticket_issued: issued })
    .where('id', '=', attemptId)
    .execute();
}
