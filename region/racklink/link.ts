import { RACK_PROTOCOL, type ToRack, ToRegion } from '@ingot/contract/rack.ts';
import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { Change, ChangeFeed } from '../deps.ts';
import { parseWireJson } from './json-text.ts';
import type { Hello, LinkParts } from './link-parts.ts';

const HELLO_WITHIN_MS = 10_000;
const BEAT_MS = 5_000;
/** Pings in a row without an answer. A rack on a loaded host may be late with one or two. */
const MISSED_BEATS = 4;
/** New work must not wait for a person to notice; the query is one probe of a small partial index. */
const WORK_POLL_MS = 250;
/**
 * Messages of a rack that wait for the database. From so many on nothing more is read until few are left: the rack
 * notices that its socket fills, and gathers what it has to say into fewer and longer messages.
 */
const INBOX_FULL = 16;
const INBOX_LOW = 4;
/** What may still come out of one read after that. A rack that is so far ahead is cut off and starts anew. */
const INBOX = 4096;
/** Bytes that a rack has not read. A full snapshot of 10,000 machines is about 3 MB. */
const OUTBOX_BYTES = 32 * 1024 * 1024;
/** With more machines changed at once a full snapshot is cheaper. */
const DELTAS = 200;

export const CLOSE = { superseded: 4001, protocol: 4002, refused: 4003, overrun: 4008, failed: 4011 } as const;

export interface LinkContext {
  parts: LinkParts;
  changes: Pick<ChangeFeed, 'subscribe'>;
  log: Logger;
  /** Decides whether this hello may be answered, and enrols a new local rack. Text = why not. */
  admit(hello: Hello): Promise<{ ok: true } | { ok: false; reason: string }>;
}

function parse(data: RawData): ToRegion | null {
  const message = ToRegion.safeParse(parseWireJson(data.toString()));
  return message.success ? message.data : null;
}

/** Speaks one rack's link until it closes. Messages are handled strictly in order. */
export function runLink(socket: WebSocket, context: LinkContext): void {
  const { parts, log } = context;
  const timers: NodeJS.Timeout[] = [];
  const inbox: ToRegion[] = [];
  let handling = false;
  let missed = 0;
  let closed = false;
  let link: { rackId: string; epoch: number } | null = null;
  let unsubscribe: (() => void) | null = null;
  let dirty = { full: false, machines: new Set<string>() };
  let syncing = false;
  let pumping = false;

  function close(code: number, reason: string): void {
    if (socket.readyState !== socket.OPEN) return;
    // One that is not read would not hear the answer.
    if (socket.isPaused) socket.resume();
    socket.close(code, reason.slice(0, 100));
  }

  function failed(what: string, error: unknown): void {
    log.error({ err: error, rack: link?.rackId }, `rack link: ${what}`);
    // The rack repeats what was not acknowledged over its next link.
    close(CLOSE.failed, what);
  }

  function send(message: ToRack): void {
    if (socket.readyState !== socket.OPEN) return;
    if (socket.bufferedAmount > OUTBOX_BYTES) close(CLOSE.overrun, 'rack does not read');
    else socket.send(JSON.stringify(message));
  }

  async function sync(): Promise<void> {
    if (!link || syncing || closed) return;
    syncing = true;
    try {
      while ((dirty.full || dirty.machines.size > 0) && !closed) {
        const now = dirty;
        dirty = { full: false, machines: new Set() };
        if (now.full || now.machines.size > DELTAS) {
          send({ type: 'snapshot', snapshot: await parts.snapshot(link.rackId) });
          continue;
        }
        const { version, entries } = await parts.entries([...now.machines]);
        for (const systemId of now.machines) {
          send({ type: 'machine', version, systemId, entry: entries.get(systemId) ?? null });
        }
      }
    } catch (error) {
      failed('snapshot not made', error);
    } finally {
      syncing = false;
    }
  }

  /** Before a machine is switched on its rack must know what to boot it with: the delta of the change may still be on its way. */
  async function announceEntries(systemIds: string[]): Promise<void> {
    if (systemIds.length === 0) return;
    const { version, entries } = await parts.entries(systemIds);
    for (const [systemId, entry] of entries) send({ type: 'machine', version, systemId, entry });
  }

  async function pump(all: boolean): Promise<void> {
    if (!link || pumping || closed) return;
    pumping = true;
    try {
      const orders = await parts.work(link.rackId, link.epoch, all);
      await announceEntries(orders.filter(({ action }) => action !== 'query').map(({ systemId }) => systemId));
      for (const work of orders) send({ type: 'work', work });
    } catch (error) {
      failed('work not sent', error);
    } finally {
      pumping = false;
    }
  }

  function onChanges(changes: Change[]): void {
    for (const { kind, key } of changes) {
      if (kind === 'network' || kind === 'image' || kind === 'settings') dirty.full = true;
      else if (kind === 'machine' || kind === 'gone') dirty.machines.add(key);
    }
    void sync();
    void pump(false);
  }

  async function beat(): Promise<void> {
    if (!link || closed) return;
    if (missed >= MISSED_BEATS) {
      socket.terminate();
      return;
    }
    // What answers our pings is not read meanwhile.
    if (!socket.isPaused) missed += 1;
    socket.ping();
    try {
      if (!(await parts.beat(link.rackId, link.epoch))) close(CLOSE.superseded, 'a newer link is open');
    } catch (error) {
      // A database that is away for a moment must not cut the racks off.
      log.warn({ err: error, rack: link.rackId }, 'rack link: no heartbeat stored');
    }
  }

  async function start(hello: Hello): Promise<void> {
    if (!hello.protocols.includes(RACK_PROTOCOL)) {
      close(CLOSE.protocol, `this region speaks protocol ${RACK_PROTOCOL}`);
      return;
    }
    const admitted = await context.admit(hello);
    if (!admitted.ok) {
      log.warn({ rack: hello.rack, reason: admitted.reason }, 'rack link refused');
      close(CLOSE.refused, admitted.reason);
      return;
    }
    const epoch = await parts.take(hello.rack);
    link = { rackId: hello.rack, epoch };
    await parts.hello(hello);
    await parts.registerInterfaces(hello.rack, hello.interfaces);
    send({ type: 'welcome', protocol: RACK_PROTOCOL, epoch });
    // Subscribed before the snapshot is read, so no change falls between the two.
    unsubscribe = context.changes.subscribe(onChanges);
    dirty.full = true;
    await sync();
    await pump(true);
    timers.push(
      setInterval(() => void beat(), BEAT_MS),
      setInterval(() => void pump(false), WORK_POLL_MS),
    );
    log.info({ rack: hello.rack, name: hello.name, epoch }, 'rack connected');
  }

  async function handle(message: ToRegion): Promise<void> {
    if (message.type === 'hello') {
      if (link) close(CLOSE.protocol, 'hello twice');
      else await start(message);
      return;
    }
    if (!link) {
      close(CLOSE.protocol, 'hello comes first');
      return;
    }
    const { rackId } = link;
    switch (message.type) {
      case 'evidence':
        return parts.evidence(rackId, message.items);
      case 'leases':
        return parts.leases(rackId, message.items);
      case 'health':
        return parts.services(rackId, message.services);
      case 'dhcp':
        return parts.dhcp(rackId, { foreign: message.foreign, pools: message.pools });
      case 'work.done':
        await parts.completeWork(rackId, message.id, message.outcome);
        send({ type: 'work.ack', id: message.id });
        return;
      case 'snapshot.applied':
        if (message.error)
          log.error({ rack: rackId, version: message.version, error: message.error }, 'snapshot refused');
        return;
    }
  }

  async function drain(): Promise<void> {
    if (handling) return;
    handling = true;
    try {
      for (let message = inbox.shift(); message && !closed; message = inbox.shift()) {
        await handle(message);
        if (socket.isPaused && inbox.length <= INBOX_LOW) socket.resume();
      }
    } catch (error) {
      failed('message not handled', error);
    } finally {
      handling = false;
    }
  }

  const helloLimit = setTimeout(() => {
    if (!link) close(CLOSE.protocol, 'no hello');
  }, HELLO_WITHIN_MS);
  timers.push(helloLimit);

  socket.on('pong', () => {
    missed = 0;
  });
  socket.on('error', (error) => log.warn({ err: error, rack: link?.rackId }, 'rack link broke'));
  socket.on('message', (data, isBinary) => {
    missed = 0;
    const message = isBinary ? null : parse(data);
    if (!message) return close(CLOSE.protocol, 'message not understood');
    if (inbox.length >= INBOX) return close(CLOSE.overrun, 'too many messages at once');
    inbox.push(message);
    if (inbox.length >= INBOX_FULL) socket.pause();
    void drain();
  });
  socket.on('close', () => {
    closed = true;
    for (const timer of timers) clearInterval(timer);
    unsubscribe?.();
    if (!link) return;
    log.info({ rack: link.rackId, epoch: link.epoch }, 'rack disconnected');
    parts
      .drop(link.rackId, link.epoch)
      .catch((error) => log.warn({ err: error }, 'rack link row left to its heartbeat'));
  });
}
