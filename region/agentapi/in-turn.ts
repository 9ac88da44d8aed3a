import type { FastifyInstance } from 'fastify';
import { createTurnstile } from './turnstile.ts';

/** Of the twelve connections of a process to its database; people, racks and the loops have the others. */
const AT_ONCE = 6;
/** More machines than a region process can serve boot at a time; they ask again. */
const LONGEST_LINE = 10_000;

/** Requests of machines that do work at once and are answered. The question for a task waits long and holds nothing. */
const isMachines = (url: string) =>
  (url.startsWith('/agent/v1/') && url !== '/agent/v1/task') || url.startsWith('/MAAS/metadata/');

/** From here on machines' requests are carried out a few at a time. Call it before their routes are registered. */
export function takeMachinesInTurn(app: FastifyInstance): void {
  const inTurn = new WeakSet<object>();
  const turnstile = createTurnstile(AT_ONCE, LONGEST_LINE);
  app.addHook('onRoute', (route) => {
    const { handler } = route;
    // A HEAD route is made of its GET route, which has been here.
    if (!isMachines(route.url) || inTurn.has(handler)) return;
    const taken: typeof handler = function (request, reply) {
      return turnstile.pass(async () => handler.call(this, request, reply));
    };
    inTurn.add(taken);
    route.handler = taken;
  });
}
