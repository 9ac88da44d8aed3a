import { type Code, entryOf, type Params, refusal } from '@ingot/core/machine/catalogue.ts';

/** What an agent is told when something is not possible; the body of every answer of 400 and above. */
export interface AgentRefusal {
  status: number;
  code: string;
  message: string;
  fix: string;
}

/** A refusal from the catalogue with its HTTP status. */
export function refusedFor(code: Code, params: Params = {}): AgentRefusal {
  return { status: entryOf(code)?.http ?? 400, ...refusal(code, params) };
}

/** Mistakes between programs, which no person meets. */
export const SESSION_UNKNOWN: AgentRefusal = {
  status: 401,
  code: 'agent.session_unknown',
  message: 'The session token is missing, unknown, or its attempt is over.',
  fix: 'Switch the machine off; its next boot gets a new ticket.',
};
export const NOT_FORWARDED: AgentRefusal = {
  status: 403,
  code: 'agent.not_forwarded',
  message: 'Agents speak to their rack only.',
  fix: 'Use the address given as ingot.agent on the kernel command line.',
};

export function badRequest(message: string): AgentRefusal {
  return { status: 400, code: 'agent.bad_request', message, fix: 'Agent and region should be of the same version.' };
}
