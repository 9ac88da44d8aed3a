import http from 'node:http';
import { MachineView } from '@ingot/contract/native.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestCluster, type TestCluster } from '../../testing/cluster.ts';
import { startTestApi, type TestApi } from '../../testing/native-api.ts';
import { nativeParts } from '../register.ts';
import { coalesce, type Delivery } from './hub.ts';
import { serveStream } from './serve.ts';

let cluster: TestCluster;
let api: TestApi;
let port: number;

beforeAll(async () => {
  cluster = await startTestCluster();
  api = await startTestApi(cluster);
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  const address = api.app.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  port = address.port;
});
afterAll(async () => {
  await api?.close();
  await cluster?.close();
});

interface Seen {
  id: string;
  event: string;
  data: unknown;
}

/** A reader of the stream; `until` waits at most five seconds for something among what came. */
async function open(key: string, lastEventId?: string) {
  const seen: Seen[] = [];
  let id = '';
  let text = '';
  const headers: Record<string, string> = { authorization: `Bearer ${key}` };
  if (lastEventId !== undefined) headers['last-event-id'] = lastEventId;
  const request = http.get({ host: '127.0.0.1', port, path: '/api/v1/events/stream', headers });
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject);
  });
  request.on('error', () => undefined);
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      id = field('id') ?? id;
      const event = field('event');
      if (event !== undefined) seen.push({ id, event, data: JSON.parse(field('data') ?? 'null') });
    }
  });
  return {
    response,
    seen,
    id: () => id,
    close: () => request.destroy(),
    async until(holds: (seen: readonly Seen[]) => boolean) {
      const deadline = Date.now() + 5000;
      while (!holds(seen)) {
        if (Date.now() > deadline) throw new Error(`not seen within 5 s: ${JSON.stringify(seen).slice(0, 400)}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
}

const names = (seen: readonly Seen[]) =>
  seen.filter((one) => one.event === 'machine').map((one) => MachineView.parse(one.data).hostname);

async function lock(systemId: string, type: 'lock' | 'unlock') {
  const applied = await api.deps.door.apply(systemId, { type, actor: { kind: 'system' } });
  expect(applied.ok).toBe(true);
}

it('tells changes as they happen, and to others than administrators only of what they may see', async () => {
  const adas = await api.machine({ hostname: 'adas', status: 'DEPLOYED', ownerId: api.ids.ada });
  const [ada, bob] = [await open(api.keys.ada), await open(api.keys.bob)];
  expect(ada.response.headers['content-type']).toMatch('text/event-stream');
  await lock(adas, 'lock');
  await ada.until((seen) => names(seen).includes('adas'));
  await bob.until((seen) => seen.some((one) => one.event === 'gone'));
  expect(JSON.stringify(bob.seen)).not.toContain('hostname');
  ada.close();
  bob.close();
});

it('a reader that was away gets everything after its last event, and nothing is lost over many changes', async () => {
  const ids = [];
  for (let n = 0; n < 10; n += 1) {
    ids.push(await api.machine({ hostname: `web${n}`, status: 'DEPLOYED', ownerId: api.ids.ada }));
  }
  const first = await open(api.keys.admin);
  await lock(ids[0] ?? '', 'lock');
  await first.until((seen) => names(seen).includes('web0'));
  first.close();
  for (const id of ids.slice(1)) await lock(id, 'lock');
  await new Promise((resolve) => setTimeout(resolve, 400));
  const second = await open(api.keys.admin, first.id());
  await second.until((seen) => new Set(names(seen)).size >= 9);
  expect(new Set(names(second.seen))).toEqual(new Set(ids.slice(1).map((_, n) => `web${n + 1}`)));
  await lock(ids[0] ?? '', 'unlock');
  await second.until((seen) => names(seen).includes('web0'));
  expect(second.seen.some((one) => one.event === 'reset')).toBe(false);
  second.close();
});

it('a cursor that nobody knows is answered with reset', async () => {
  const reader = await open(api.keys.admin, 'long ago');
  await reader.until((seen) => seen[0]?.event === 'reset');
  reader.close();
});

it('a reader that does not read gets reset as its last word and is dropped', async () => {
  const { hub } = nativeParts(api.deps);
  const systemId = await api.machine({ hostname: 'slow', status: 'DEPLOYED', ownerId: api.ids.ada });
  const dropped = new Promise<void>((resolve) => {
    const server = http.createServer((_request, response) => {
      response.on('close', () => {
        server.close();
        resolve();
      });
      const principal = {
        userId: api.ids.admin,
        username: 'admin',
        admin: true,
        via: 'local' as const,
        address: null,
        userAgent: '',
      };
      void serveStream(response, hub, principal, null, { bufferBytes: 1, backlog: 10, heartbeatMs: 200 });
    });
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('no port');
      const request = http.get({ host: '127.0.0.1', port: address.port });
      request.on('response', (response) => response.pause());
      request.on('error', () => undefined);
    });
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await lock(systemId, 'lock');
  await dropped;
  expect(hub.readers()).toBe(0);
});

it('several changes of one thing become one, at the place of the last', () => {
  const change = (cursor: string, key: string) => ({ cursor, kind: 'machine' as const, key });
  const deliveries: Pick<Delivery, 'id'>[] = coalesce([
    change('(1,1)', 'a'),
    change('(1,2)', 'b'),
    change('(2,3)', 'a'),
  ]).map(({ cursor }) => ({ id: cursor }));
  expect(deliveries).toEqual([{ id: '(1,2)' }, { id: '(2,3)' }]);
});
