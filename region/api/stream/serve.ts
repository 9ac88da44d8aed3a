import type { ServerResponse } from 'node:http';
import type { StreamEvent } from '@ingot/contract/native.ts';
import type { Principal } from '../principal.ts';
import type { Delivery, StreamHub } from './hub.ts';

export interface StreamLimits {
  /** Bytes that may wait for a slow reader before it is dropped. */
  bufferBytes: number;
  /** Deliveries held back while the replay is being read. */
  backlog: number;
  heartbeatMs: number;
}

const STREAM_LIMITS: StreamLimits = { bufferBytes: 4 * 2 ** 20, backlog: 5000, heartbeatMs: 15_000 };

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store',
  // Proxies in front would otherwise hold events back to fill a buffer.
  'x-accel-buffering': 'no',
};

/**
 * Serves one reader until it goes. With `lastEventId` everything after it comes first; nothing falls between replay and
 * live events because the reader is attached before the replay is read: at worst a state is delivered twice.
 * A reader that does not keep up gets `reset` as its last event and is dropped.
 */
export async function serveStream(
  response: ServerResponse,
  hub: StreamHub,
  principal: Principal,
  lastEventId: string | null,
  limits: StreamLimits = STREAM_LIMITS,
): Promise<void> {
  let held: Delivery[] | null = [];
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    detach();
    clearInterval(heartbeat);
    response.end();
  };
  const drop = () => {
    if (ended) return;
    response.write(textOf({ id: hub.cursor(), event: { event: 'reset', data: {} } }));
    end();
    // It has the time of a heartbeat to read what waits; then the socket goes, and its memory with it.
    setTimeout(() => response.destroy(), limits.heartbeatMs).unref();
  };
  const send = (deliveries: readonly Delivery[]) => {
    if (ended) return;
    response.write(deliveries.map(textOf).join(''));
    if (response.writableLength > limits.bufferBytes) drop();
  };
  const detach = hub.attach(principal, (deliveries) => {
    if (held === null) {
      send(deliveries);
      return;
    }
    held.push(...deliveries);
    if (held.length > limits.backlog) drop();
  });
  const heartbeat = setInterval(() => {
    if (response.writableLength > limits.bufferBytes) drop();
    else response.write(':\n\n');
  }, limits.heartbeatMs);
  heartbeat.unref();
  response.on('close', end);
  response.on('error', end);

  response.writeHead(200, HEADERS);
  // The first bytes at once, with the cursor: who is cut off before the first event can resume all the same.
  response.write(`retry: 1000\nid: ${lastEventId ?? hub.cursor()}\n: ingot\n\n`);
  if (lastEventId !== null) {
    // What cannot be read now is not waited for: the reader starts anew.
    const missed = await hub.resume(principal, lastEventId).catch(() => null);
    if (missed === null) send([{ id: hub.cursor(), event: { event: 'reset', data: {} } }]);
    else if (missed.length > 0) send(missed);
  }
  const waiting = held;
  held = null;
  if (waiting.length > 0) send(waiting);
}

/** An event goes to many readers in the same form; its text is gone with it. */
const texts = new WeakMap<StreamEvent, string>();

function textOf({ id, event }: Delivery): string {
  let text = texts.get(event);
  if (text === undefined) {
    // JSON.stringify never yields a line break, so one data line is enough.
    text = `event: ${event.event}\ndata: ${JSON.stringify(event.data)}\n\n`;
    texts.set(event, text);
  }
  return `id: ${id}\n${text}`;
}
