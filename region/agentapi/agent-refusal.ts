import { type Code, entryOf, type Params, refusal } from '@ingot/core/machine/catalogue.ts';

/** What an agent is told when something is not possible; the body of every answer of 400 and above. */
export interface AgentRefusal {
  status: number;
  code: Code;
  message: string;
  fix: string;
}

/** A refusal from the catalogue with its HTTP status. */
export function refusedFor(code: Code, params: Params = {}): AgentRefusal {
  return { status: entryOf(code)?.http ?? 400, ...refusal(code, params) };
}

/** Mistakes between programs, which no person meets. */
export const SESSION_UNKNOWN: AgentRefusal = refusedFor('agent.session_unknown');
export const NOT_FORWARDED: AgentRefusal = refusedFor('agent.not_forwarded');

export function badRequest(why: string): AgentRefusal {
  return refusedFor('agent.bad_request', { why });
}
