import { AttemptView, EventView, EvidenceView, ScriptResultView } from '@ingot/contract/native.ts';
import * as z from 'zod';
import { noSuch } from '../failure.ts';
import type { NativeParts } from '../parts.ts';
import { attemptsOf, evidenceOf } from '../read/attempts.ts';
import { readEvents } from '../read/events.ts';
import { outputOf, resultsOf } from '../read/results.ts';
import { type Route, route, signedIn } from '../route.ts';
import { findMachine } from '../visible.ts';

const ById = z.object({ id: z.string().max(255) });
const Numbered = ById.extend({ n: z.coerce.number().int().min(0) });
const Cursor = z.coerce.number().int().min(0).optional();

/** What happened to a machine: attempts, evidence, events, script results. */
export function historyRoutes(parts: NativeParts): Route[] {
  return [
    route(
      {
        method: 'GET',
        path: '/machines/:id/attempts',
        operation: 'listAttempts',
        summary: 'Attempts with their phases, newest first; 20 are kept',
        access: 'user',
        params: ById,
        answer: z.array(AttemptView),
      },
      async ({ deps, principal, params }) => {
        const found = await findMachine(deps.db, signedIn(principal), params.id);
        return attemptsOf(deps.db, parts.typical, found.systemId, Date.now());
      },
    ),
    route(
      {
        method: 'GET',
        path: '/machines/:id/attempts/:n/evidence',
        operation: 'listEvidence',
        summary: 'What was seen in an attempt, oldest first, at most 500 after an id',
        access: 'user',
        params: Numbered,
        query: z.strictObject({ after: Cursor }),
        answer: z.array(EvidenceView),
      },
      async ({ deps, principal, params, query }) => {
        const found = await findMachine(deps.db, signedIn(principal), params.id);
        const evidence = await evidenceOf(deps.db, found.systemId, params.n, query.after ?? 0);
        if (!evidence) throw noSuch('attempt', String(params.n));
        return evidence;
      },
    ),
    route(
      {
        method: 'GET',
        path: '/machines/:id/events',
        operation: 'listMachineEvents',
        summary: 'Events of a machine, newest first, at most 100 before an id',
        access: 'user',
        params: ById,
        query: z.strictObject({ before: Cursor }),
        answer: z.array(EventView),
      },
      async ({ deps, principal, params, query }) => {
        const who = signedIn(principal);
        const found = await findMachine(deps.db, who, params.id);
        return readEvents(deps.db, { systemId: found.systemId, before: query.before }, who);
      },
    ),
    route(
      {
        method: 'GET',
        path: '/events',
        operation: 'listEvents',
        summary: 'Events of everything the caller may see, newest first, at most 100 before an id',
        access: 'user',
        query: z.strictObject({ before: Cursor }),
        answer: z.array(EventView),
      },
      ({ deps, principal, query }) => readEvents(deps.db, { before: query.before }, signedIn(principal)),
    ),
    route(
      {
        method: 'GET',
        path: '/machines/:id/results',
        operation: 'listResults',
        summary: 'Script results of every kept set, newest set first',
        access: 'user',
        params: ById,
        answer: z.array(ScriptResultView),
      },
      async ({ deps, principal, params }) =>
        resultsOf(deps.db, (await findMachine(deps.db, signedIn(principal), params.id)).id),
    ),
    route(
      {
        method: 'GET',
        path: '/machines/:id/results/:n/output',
        operation: 'readOutput',
        summary: 'Combined output of one script',
        access: 'user',
        params: Numbered,
        answer: 'text/plain',
      },
      async ({ deps, principal, params, reply }) => {
        const found = await findMachine(deps.db, signedIn(principal), params.id);
        const output = await outputOf(deps.db, found.id, params.n);
        if (!output) throw noSuch('script result', String(params.n));
        // Output of a machine's own tools: never to be taken for a page of ours.
        return reply
          .header('content-type', 'text/plain; charset=utf-8')
          .header('x-content-type-options', 'nosniff')
          .send(output);
      },
    ),
  ];
}
