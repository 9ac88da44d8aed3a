import type { IncomingMessage, ServerResponse } from 'node:http';
import { MaasError, unavailable } from './errors.ts';

/** In bytes. */
export interface BodyLimits {
  /** Of one request. */
  each: number;
  /** What each may send whatever others hold: nearly every request is shorter. */
  free: number;
  /** Beyond that, of all requests that are not answered yet. */
  together: number;
}

export interface HeldBodies {
  /** The whole body, or 413 or 503: then the rest is not read. It counts as held until the response has ended, well or not. */
  read(request: IncomingMessage, response: ServerResponse, done: (error: Error | null, body?: Buffer) => void): void;
}

/**
 * Bodies are read before it is known who asks, since a signature may stand in them or cover them. So that nobody without
 * a login can fill our memory, all of them together have a limit as well as each; nor can he who fills that keep others
 * from ordinary requests.
 */
export function createHeldBodies(limits: BodyLimits): HeldBodies {
  let held = 0;
  return {
    read: (request, response, done) => {
      const length = request.headers['content-length'];
      if (Number(length) > limits.each) return done(tooLarge());
      const chunks: Buffer[] = [];
      let size = 0;
      const counted = () => Math.max(0, size - limits.free);
      const end = (error: Error | null) => {
        request.off('data', take).off('end', whole).off('error', cut);
        if (error !== null) done(error);
        else done(null, Buffer.concat(chunks, size));
      };
      const take = (chunk: Buffer) => {
        const before = counted();
        size += chunk.length;
        held += counted() - before;
        if (size > limits.each) end(tooLarge());
        else if (counted() > 0 && held > limits.together)
          end(unavailable('The region has too many large requests in hand.'));
        else chunks.push(chunk);
      };
      const whole = () => end(null);
      const cut = () => end(new MaasError(400, 'Bad Request: the body was cut.'));
      response.once('close', () => {
        held -= counted();
      });
      request.on('data', take).on('end', whole).on('error', cut);
    },
  };
}

const tooLarge = () => new MaasError(413, 'Request body is too large');
