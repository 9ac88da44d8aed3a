import type { SessionReply, SessionRequest, TicketBody } from '@ingot/contract/agent.ts';
import type { Transaction } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { appendEvidence } from '../evidence/rows.ts';
import type { Forwarded } from '../racklink/forwarded.ts';
import { rackKey } from '../racklink/rack-keys.ts';
import type { Tables } from '../store/schema.ts';
import { type AgentRefusal, refusedFor } from './agent-refusal.ts';
import { isInRescue, machineForAgent, machineOfMac, ownersSshKeys } from './machine-rows.ts';
import { insertSession, lockAttempt, noteTicket, sessionOfNonce, ticketIsUsed } from './session-rows.ts';
import { claimedRack, readTicket } from './ticket.ts';

export type Traded = { ok: true; reply: SessionReply } | { ok: false; refusal: AgentRefusal };

function invalid(reason: string): AgentRefusal {
  return refusedFor('boot.ticket_invalid', { reason });
}

function reused(ticket: TicketBody, from: Forwarded): AgentRefusal {
  return refusedFor('boot.ticket_reused', { machine: ticket.machine ?? ticket.mac, address: from.client });
}

/** A refused ticket is part of the attempt's story, whoever presented it. */
async function noteRefusal(
  deps: RegionDeps,
  ticket: TicketBody,
  from: Forwarded,
  refusal: AgentRefusal,
): Promise<void> {
  const machine = ticket.machine === null ? null : await machineForAgent(deps.db, ticket.machine);
  const attemptId = machine && machine.attemptId === ticket.attempt ? machine.attemptId : null;
  await appendEvidence(deps.db, [
    {
      attemptId,
      systemId: machine?.systemId ?? null,
      mac: from.mac ?? ticket.mac,
      agoMs: 0,
      phase: '',
      kind: refusal.code,
      text: `${refusal.message} Presented by ${from.client} (${from.mac ?? 'no lease'}).`,
      data: { nonce: ticket.nonce, issued: ticket.issued, address: from.client, rack: from.rackId },
    },
  ]);
}

type Opened = { ok: true; token: string; kind: string } | { ok: false; refusal: AgentRefusal };

/**
 * The same ticket may be traded again as long as its session was never used, by the same address and MAC: a region that
 * died while answering has taken nothing from the machine.
 */
async function mayTradeAgain(tx: Transaction<Tables>, ticket: TicketBody, from: Forwarded): Promise<boolean> {
  if (await ticketIsUsed(tx, ticket.nonce)) return false;
  const session = await sessionOfNonce(tx, ticket.nonce);
  return session === null || (!session.used && session.mac === ticket.mac && session.address === from.client);
}

async function openForAttempt(
  tx: Transaction<Tables>,
  ticket: TicketBody & { machine: string; attempt: number },
  from: Forwarded,
  firmware: 'bios' | 'uefi',
): Promise<Opened> {
  const attempt = await lockAttempt(tx, ticket.attempt);
  if (!attempt || attempt.systemId !== ticket.machine) return { ok: false, refusal: invalid('it names no attempt') };
  // The attempt of entering rescue mode ends there, but its system may be booted again.
  const inRescue = attempt.kind === 'rescue' && (await isInRescue(tx, ticket.machine, ticket.attempt));
  if (attempt.ended && !inRescue) return { ok: false, refusal: invalid('its attempt is over') };
  const older = attempt.issued !== null && ticket.issued < attempt.issued;
  const twin = attempt.issued === ticket.issued && attempt.nonce !== ticket.nonce;
  if (older || twin || !(await mayTradeAgain(tx, ticket, from))) return { ok: false, refusal: reused(ticket, from) };
  await noteTicket(tx, ticket.attempt, ticket.nonce, ticket.issued);
  const token = await insertSession(tx, {
    attemptId: ticket.attempt,
    systemId: ticket.machine,
    mac: ticket.mac,
    rackId: ticket.rack,
    address: from.client,
    nonce: ticket.nonce,
    firmware,
  });
  return { ok: true, token, kind: attempt.kind };
}

async function openForEnlistment(
  tx: Transaction<Tables>,
  ticket: TicketBody,
  from: Forwarded,
  firmware: 'bios' | 'uefi',
): Promise<Opened> {
  // A known machine may only look in without an attempt while nobody has accepted it.
  const known = ticket.machine === null ? null : await machineForAgent(tx, ticket.machine);
  if (ticket.machine !== null && known?.status !== 'NEW') {
    return { ok: false, refusal: invalid('it has no attempt, and the machine was accepted') };
  }
  if (!(await mayTradeAgain(tx, ticket, from))) return { ok: false, refusal: reused(ticket, from) };
  const token = await insertSession(tx, {
    attemptId: null,
    systemId: ticket.machine,
    mac: ticket.mac,
    rackId: ticket.rack,
    address: from.client,
    nonce: ticket.nonce,
    firmware,
  });
  return { ok: true, token, kind: 'enlist' };
}

/** Trades a boot ticket for a session. The request must have come through the rack that signed the ticket. */
export async function tradeTicket(deps: RegionDeps, request: SessionRequest, from: Forwarded): Promise<Traded> {
  const key = claimedRack(request.ticket) === from.rackId ? await rackKey(deps.db, from.rackId) : null;
  const ticket = key ? readTicket(request.ticket, key, Date.now()) : null;
  if (!ticket) return { ok: false, refusal: invalid('this rack did not sign it, or it is too old') };
  const { machine: systemId, attempt: attemptId } = ticket;

  // The asker must hold a lease of this rack under a MAC of the machine that the ticket names.
  const owner = from.mac === null ? null : await machineOfMac(deps.db, from.mac);
  const isItself = systemId === null ? from.mac === ticket.mac : owner?.systemId === systemId;
  if (!isItself) {
    const refusal = invalid('the asking address holds no lease of that machine');
    await noteRefusal(deps, ticket, from, refusal);
    return { ok: false, refusal };
  }

  const opened = await deps.db
    .transaction()
    .execute(async (tx) =>
      systemId !== null && attemptId !== null
        ? openForAttempt(tx, { ...ticket, machine: systemId, attempt: attemptId }, from, request.firmware)
        : openForEnlistment(tx, ticket, from, request.firmware),
    );
  if (!opened.ok) {
    await noteRefusal(deps, ticket, from, opened.refusal);
    return opened;
  }
  if (systemId !== null && attemptId !== null) {
    await deps.door.apply(systemId, { type: 'agent-session', actor: { kind: 'agent' }, attemptId });
  }
  const machine = systemId === null ? null : await machineForAgent(deps.db, systemId);
  return {
    ok: true,
    reply: {
      token: opened.token,
      machine: systemId,
      attempt: attemptId,
      kind: opened.kind,
      sshKeys: machine?.sshAllowed ? await ownersSshKeys(deps.db, machine) : [],
    },
  };
}
