import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { ToRack, ToRegion } from '@ingot/contract/rack.ts';
import { pino } from 'pino';
import { afterEach, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { Change } from '../deps.ts';
import { CLOSE, runLink } from './link.ts';
import type { Hello, LinkParts } from './link-parts.ts';

const hello: Hello = {
  type: 'hello',
  protocols: [1],
  rack: 'rack1',
  name: 'rack-one',
  version: '0.1.0',
  interfaces: [],
  snapshotVersion: null,
};
const work = {
  id: 7,
  kind: 'power' as const,
  systemId: 'abc123',
  attempt: 3,
  generation: 2,
  action: 'cycle' as const,
  soft: false,
  bootFrom: 'network' as const,
  firmware: 'bios' as const,
  powerType: 'ipmi',
  parameters: { power_pass: 'secret' },
};

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** A region's end with everything behind the link faked, and a rack's end that collects what it is told. */
async function linked() {
  const calls: string[] = [];
  let changed: (changes: Change[]) => void = () => {};
  const parts: LinkParts = {
    take: async () => 5,
    beat: async () => true,
    drop: async (rack, epoch) => void calls.push(`drop ${rack} ${epoch}`),
    hello: async () => {},
    registerInterfaces: async () => {},
    snapshot: async () => ({ version: 1, vlans: [], machines: [], ephemeral: [], enlist: true, kernelOptions: '' }),
    entries: async () => ({ version: 2, entries: new Map() }),
    work: async (_rack, _epoch, all) => (all ? [work] : []),
    completeWork: async (_rack, id) => void calls.push(`complete ${id}`),
    evidence: async (_rack, items) => void calls.push(`evidence ${items.length}`),
    leases: async () => {},
    services: async () => {},
    dhcp: async () => {},
  };
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  open.push(() => server.close());
  server.on('connection', (socket) =>
    runLink(socket, {
      parts,
      log: pino({ level: 'silent' }),
      admit: async ({ rack }) => (rack === 'rack1' ? { ok: true } : { ok: false, reason: 'not enrolled' }),
      changes: {
        subscribe: (listener) => {
          changed = listener;
          return () => {};
        },
      },
    }),
  );
  const { port } = server.address() as AddressInfo;
  const rack = new WebSocket(`ws://127.0.0.1:${port}`);
  open.push(() => rack.terminate());
  const heard: ToRack[] = [];
  rack.on('message', (data) => heard.push(JSON.parse(data.toString())));
  await once(rack, 'open');
  const say = (message: ToRegion) => rack.send(JSON.stringify(message));
  return { calls, heard, rack, say, change: (changes: Change[]) => changed(changes), parts };
}

it('answers hello with welcome, the whole snapshot and all unfinished work', async () => {
  const { heard, say } = await linked();
  say(hello);
  await vi.waitFor(() => expect(heard.map((message) => message.type)).toEqual(['welcome', 'snapshot', 'work']));
  expect(heard[0]).toEqual({ type: 'welcome', protocol: 1, epoch: 5 });
});

it('sends one machine on a machine change and everything on a network change', async () => {
  const { heard, say, change } = await linked();
  say(hello);
  await vi.waitFor(() => expect(heard).toHaveLength(3));
  change([{ cursor: '1', kind: 'machine', key: 'abc123' }]);
  await vi.waitFor(() => expect(heard[3]).toEqual({ type: 'machine', version: 2, systemId: 'abc123', entry: null }));
  change([{ cursor: '2', kind: 'network', key: '' }]);
  await vi.waitFor(() => expect(heard[4]?.type).toBe('snapshot'));
});

it('acknowledges finished work only after it is stored', async () => {
  const { heard, say, parts, calls } = await linked();
  say(hello);
  await vi.waitFor(() => expect(heard).toHaveLength(3));
  let store = () => {};
  parts.completeWork = () =>
    new Promise((resolve) => {
      store = resolve;
    });
  say({ type: 'work.done', id: 7, outcome: { ok: true, state: 'on' } });
  say({ type: 'evidence', items: [] });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(heard).toHaveLength(3);
  expect(calls).toEqual([]);
  store();
  await vi.waitFor(() => expect(heard[3]).toEqual({ type: 'work.ack', id: 7 }));
  expect(calls).toEqual(['evidence 0']);
});

/**
 * @fault The racks of a busy site report faster than the region can store: 3,000 messages while its database stands still.
 * @sees Nothing; evidence comes late.
 * @ends The link stands, every message is taken in order, and what comes after it is answered.
 */
it('lets a rack wait that says more than can be stored, and loses nothing', async () => {
  const { heard, rack, say, parts, calls } = await linked();
  say(hello);
  await vi.waitFor(() => expect(heard).toHaveLength(3));
  let goOn = () => {};
  const standstill = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  let stored = 0;
  parts.evidence = async () => {
    await standstill;
    stored += 1;
  };
  const item = { kind: 'http.read' as const, mac: '', address: '', systemId: null, attempt: null, agoMs: 0, data: {} };
  const items = Array.from({ length: 20 }, () => ({ ...item, text: 'x'.repeat(500) }));
  for (let count = 0; count < 3000; count += 1) say({ type: 'evidence', items });
  say({ type: 'work.done', id: 7, outcome: { ok: true, state: 'on' } });
  await new Promise((resolve) => setTimeout(resolve, 300));
  // It stands in the sender's memory, not in the region's.
  expect(rack.bufferedAmount).toBeGreaterThan(20 * 2 ** 20);
  goOn();
  await vi.waitFor(() => expect(heard[3]).toEqual({ type: 'work.ack', id: 7 }), 15_000);
  expect([stored, calls]).toEqual([3000, ['complete 7']]);
});

/**
 * @fault The database does not answer while a rack reports.
 * @sees The rack is shown as away for a moment.
 * @ends The link is closed, the rack connects again and repeats what was not acknowledged.
 */
it('closes on a database error, so that the rack repeats what was not acknowledged', async () => {
  const { rack, say, parts, heard } = await linked();
  say(hello);
  await vi.waitFor(() => expect(heard).toHaveLength(3));
  parts.completeWork = () => Promise.reject(new Error('connection lost'));
  say({ type: 'work.done', id: 7, outcome: { ok: true, state: 'on' } });
  const [code] = await once(rack, 'close');
  expect(code).toBe(CLOSE.failed);
});

it.each<[string, ToRegion, number]>([
  ['an unknown rack', { ...hello, rack: 'stranger' }, CLOSE.refused],
  ['another protocol', { ...hello, protocols: [99] }, CLOSE.protocol],
  ['evidence before hello', { type: 'evidence', items: [] }, CLOSE.protocol],
])('refuses %s', async (_what, message, code) => {
  const { rack, say } = await linked();
  say(message);
  const [closed] = await once(rack, 'close');
  expect(closed).toBe(code);
});

it('forgets its row when the rack goes', async () => {
  const { rack, say, calls, heard } = await linked();
  say(hello);
  await vi.waitFor(() => expect(heard).toHaveLength(3));
  rack.close();
  await vi.waitFor(() => expect(calls).toContain('drop rack1 5'));
});
