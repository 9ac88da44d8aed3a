import * as z from 'zod';
import { failureFor } from '../failure.ts';
import type { NativeParts } from '../parts.ts';
import { type Route, route, signedIn } from '../route.ts';
import { serveStream } from '../stream/serve.ts';

/** Browsers open a handful each; beyond this the process is protected rather than polite. */
const READERS_LIMIT = 1000;

export function streamRoutes(parts: NativeParts): Route[] {
  return [
    route(
      {
        method: 'GET',
        path: '/events/stream',
        operation: 'streamEvents',
        summary: 'Server-sent events: machine, gone, attempt, reset. Last-Event-ID (or ?after=) resumes after a cursor',
        access: 'user',
        query: z.strictObject({ after: z.string().max(64).optional() }),
        answer: 'text/event-stream',
      },
      async ({ principal, query, request, reply }) => {
        const who = signedIn(principal);
        if (parts.hub.readers() >= READERS_LIMIT) {
          throw failureFor('stream.full', {}, { retryAfterSeconds: 5 });
        }
        const header = request.headers['last-event-id'];
        const after = typeof header === 'string' && header !== '' ? header : (query.after ?? null);
        reply.hijack();
        await serveStream(reply.raw, parts.hub, who, after);
        return undefined;
      },
    ),
  ];
}
