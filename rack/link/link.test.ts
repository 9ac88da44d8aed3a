import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RACK_PROTOCOL, type ToRack } from '@ingot/contract/rack.ts';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createEvidenceQueue, type Seen } from '../evidence/evidence.ts';
import { identityOf } from '../identity/identity.ts';
import { openTransport } from '../region/transport.ts';
import { startFakeRegion } from '../testing/fake-region.ts';
import { snapshotOf } from '../testing/snapshot.ts';
import { type Link, openLink } from './link.ts';
import { createOutbox } from './outbox.ts';

const seen = (text: string): Seen => ({
  kind: 'http.read',
  mac: '',
  address: '10.0.0.1',
  systemId: null,
  attempt: null,
  text,
  data: {},
});
const snapshot = snapshotOf('10.80.0', { sha256: 'a'.repeat(64), size: 1 });

let dir: string;
let link: Link | null = null;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'link-'));
});
afterEach(async () => {
  link?.stop();
  await rm(dir, { recursive: true });
});

it('finds the region when it comes, again when it comes back, and loses no evidence meanwhile', async () => {
  const socketPath = join(dir, 'rack.sock');
  const evidence = createEvidenceQueue();
  const heard: ToRack['type'][] = [];
  const outbox = createOutbox(() => link, evidence, Date.now);
  evidence.add(seen('before'));
  link = openLink({
    region: openTransport({ kind: 'unix', path: socketPath }),
    identity: identityOf(generateKeyPairSync('ed25519').privateKey),
    hello: () => ({
      type: 'hello',
      protocols: [RACK_PROTOCOL],
      rack: 'r',
      name: 'r',
      version: '0',
      interfaces: [],
      snapshotVersion: null,
    }),
    onWelcome: () => outbox.resendLeases([]),
    onMessage: (message) => heard.push(message.type),
    log: pino({ level: 'silent' }),
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(link.send({ type: 'health', services: [] })).toBe(false);

  const first = startFakeRegion(socketPath, snapshot, new Map());
  await expect.poll(() => first.evidence.map(({ text }) => text), { timeout: 3000 }).toEqual(['before']);
  expect(first.evidence[0]?.agoMs).toBeGreaterThan(250);
  await first.stop();
  await expect.poll(() => link?.connected()).toBe(false);
  evidence.add(seen('between'));
  const lease = { ip: '10.80.0.100', mac: '02:00:00:00:00:01', subnetId: 4, hostname: '', valid: true };
  outbox.addLease({ ...lease, expires: Date.now() / 1000 + 60 });

  const second = startFakeRegion(socketPath, snapshot, new Map());
  await expect.poll(() => second.evidence.map(({ text }) => text), { timeout: 3000 }).toEqual(['between']);
  expect(second.of('leases').flatMap(({ items }) => items.map(({ ip }) => ip))).toEqual(['10.80.0.100']);
  expect(heard).toEqual(['snapshot', 'snapshot']);
  link.stop();
  outbox.stop();
  await second.stop();
}, 15_000);

it('keeps the newest evidence when there is too much, counts the rest, and stamps each with its age', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(100), { maxLength: 60 }), fc.integer({ min: 1, max: 20 }), (waits, limit) => {
      let clock = 0;
      const queue = createEvidenceQueue(limit, () => clock);
      const added: { text: string; at: number }[] = [];
      for (const [i, wait] of waits.entries()) {
        clock += wait;
        added.push({ text: String(i), at: clock });
        queue.add(seen(String(i)));
      }
      const kept = added.slice(-limit);
      expect(queue.dropped()).toBe(added.length - kept.length);
      expect(queue.take(1000).map(({ text, agoMs }) => [text, agoMs])).toEqual(
        kept.map(({ text, at }) => [text, clock - at]),
      );
    }),
  );
});
