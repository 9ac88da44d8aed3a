import { decide } from '@ingot/core/machine/decide.ts';
import { Kysely, PostgresDialect } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Door } from '../deps.ts';
import { preparing } from '../store/prepared.ts';
import type { Tables } from '../store/schema.ts';
import { startTestCluster, type TestCluster } from '../testing/cluster.ts';
import { type TestRegion, testRegion } from '../testing/region.ts';
import { cleanUp } from './cleanup.ts';
import { convergeOnce } from './converge.ts';
import { createDeadlineSweep } from './deadlines.ts';
import { createDoor } from './door.ts';
import { pollPower } from './power-poll.ts';
import { completePowerWork, queryPower } from './power-work.ts';
import { RESULT_STATUS } from './result-status.ts';

let cluster: TestCluster;
let region: TestRegion;
beforeAll(async () => {
  cluster = await startTestCluster();
});
afterAll(() => cluster.close());
beforeEach(async () => {
  region = await testRegion(cluster);
  await region.rack();
  await region.ephemeralImage();
  return () => region.close();
});

const agent = { kind: 'agent' } as const;

async function openWork() {
  return region.deps.db.selectFrom('rack_work').selectAll().where('state', '<>', 'done').orderBy('id').execute();
}

async function attemptOf(systemId: string) {
  const state = await region.deps.door.load(systemId);
  if (!state?.attempt) throw new Error('the machine has no attempt');
  return { state, attempt: state.attempt };
}

test('commissioning: from NEW through power, agent and tests to READY, with phases, scripts and events stored', async () => {
  const { deps, admin } = region;
  const machine = await region.machine({ hostname: 'calm-fox' });
  const applied = await deps.door.apply(machine.systemId, { type: 'commission', actor: admin });
  expect(applied).toMatchObject({ ok: true, machine: { status: 'COMMISSIONING', bootTarget: 'ephemeral' } });

  expect(await convergeOnce(deps)).toBe(1);
  const [work] = await openWork();
  expect(work).toMatchObject({ action: 'cycle', boot_from: 'network', state: 'queued', machine_id: machine.id });
  await completePowerWork(deps, work?.id ?? 0, { ok: true, state: 'on' });

  const { attempt, state } = await attemptOf(machine.systemId);
  expect(state).toMatchObject({ powerState: 'on', powerWant: null, owner: { name: 'admin' } });
  await deps.door.apply(machine.systemId, { type: 'agent-session', actor: agent, attemptId: attempt.id });
  const sets = await deps.db
    .selectFrom('machines')
    .select(['set_commissioning', 'set_testing'])
    .executeTakeFirstOrThrow();
  const results = await deps.db.selectFrom('script_results').selectAll().orderBy('id').execute();
  expect(results.filter((row) => row.set_id === sets.set_commissioning).map((row) => row.name)).toContain(
    '50-maas-01-commissioning',
  );
  expect(results.filter((row) => row.set_id === sets.set_testing).map((row) => row.name)).toEqual([
    'smartctl-validate',
  ]);

  await deps.db.updateTable('script_results').set({ status: RESULT_STATUS.passed }).execute();
  const done = { type: 'agent-done', actor: agent, attemptId: attempt.id, outcome: 'ok' } as const;
  expect(await deps.door.apply(machine.systemId, { ...done, testing: true })).toMatchObject({
    machine: { status: 'TESTING' },
  });
  const after = await attemptOf(machine.systemId);
  expect(await deps.door.apply(machine.systemId, { ...done, attemptId: after.attempt.id })).toMatchObject({
    machine: { status: 'READY', owner: null },
  });

  const phases = await deps.db
    .selectFrom('attempt_phases')
    .selectAll()
    .where('attempt_id', '=', attempt.id)
    .orderBy('id')
    .execute();
  expect(phases.map((phase) => phase.name).slice(0, 2)).toEqual(['power', 'dhcp']);
  expect(phases.every((phase) => phase.ended !== null)).toBe(true);
  const events = await deps.db.selectFrom('events').select(['type', 'username']).orderBy('id').execute();
  expect(events[0]).toEqual({ type: 'REQUEST_NODE_START_COMMISSIONING', username: 'admin' });
  expect(events.map((event) => event.type)).toContain('READY');
});

test('a refused command changes nothing and tells why', async () => {
  const { deps, admin } = region;
  const machine = await region.machine();
  const before = await deps.db.selectFrom('machines').selectAll().executeTakeFirstOrThrow();
  const applied = await deps.door.apply(machine.systemId, { type: 'lock', actor: admin });
  expect(applied).toMatchObject({ ok: false, refused: [{ code: expect.any(String), message: expect.any(String) }] });
  expect(await deps.db.selectFrom('machines').selectAll().executeTakeFirstOrThrow()).toEqual(before);
});

test('an unknown machine is NotFound', async () => {
  await expect(region.deps.door.apply('nobody', { type: 'lock', actor: region.admin })).rejects.toThrow(
    /no machine "nobody"/,
  );
});

/**
 * @fault A region is killed after it ordered power and before the answer came.
 * @sees Nothing but the time it takes.
 * @ends The order stands and is not written again: the machine is switched once.
 */
test('killed between ordering power and its answer: the order stands, the machine is not switched twice', async () => {
  const { deps, admin } = region;
  const machine = await region.machine();
  await deps.door.apply(machine.systemId, { type: 'commission', actor: admin });
  await convergeOnce(deps);
  const [first] = await openWork();
  await deps.db.updateTable('rack_work').set({ state: 'sent' }).execute();
  // The process died holding its lease; another one finds the machine due again.
  await deps.db
    .updateTable('machines')
    .set({ next_at: new Date(0), lease_owner: 'dead', lease_until: new Date(0) })
    .execute();
  expect(await convergeOnce({ ...deps, process: 'other' })).toBe(1);
  expect((await openWork()).map((work) => work.id)).toEqual([first?.id]);
  // The rack repeats its answer until it is acknowledged.
  const applied = await completePowerWork(deps, first?.id ?? 0, { ok: true, state: 'on' });
  expect(applied).toMatchObject({ ok: true, machine: { powerState: 'on' } });
  expect(await completePowerWork(deps, first?.id ?? 0, { ok: true, state: 'on' })).toBeNull();
  expect(await deps.db.selectFrom('rack_work').select('id').execute()).toHaveLength(1);
});

/**
 * @fault A rack repeats its answer to a power order while the first one is being stored.
 * @sees Nothing.
 * @ends The answer is applied once.
 */
test('two answers to one order at once are applied once', async () => {
  const { deps, admin } = region;
  const machine = await region.machine();
  await deps.door.apply(machine.systemId, { type: 'commission', actor: admin });
  await convergeOnce(deps);
  const [work] = await openWork();
  const failed = { ok: false, class: 'connection', message: 'no answer' } as const;
  await Promise.all([1, 2, 3].map(() => completePowerWork(deps, work?.id ?? 0, failed)));
  expect(await deps.door.load(machine.systemId)).toMatchObject({ powerTries: 1 });
});

test("a live process's lease is respected, a dead one's is taken over when it ends", async () => {
  const { deps, admin } = region;
  const machine = await region.machine();
  await deps.door.apply(machine.systemId, { type: 'commission', actor: admin });
  const lease = (until: number) =>
    deps.db
      .updateTable('machines')
      .set({ lease_owner: 'other', lease_until: new Date(Date.now() + until) })
      .execute();
  await lease(10_000);
  expect(await convergeOnce(deps)).toBe(0);
  await lease(-1);
  expect(await convergeOnce(deps)).toBe(1);
});

test('without a rack the machine is looked at again, and ordered once one connects', async () => {
  const { deps, admin } = region;
  const machine = await region.machine();
  await deps.door.apply(machine.systemId, { type: 'commission', actor: admin });
  await deps.db.deleteFrom('rack_links').execute();
  expect(await convergeOnce(deps)).toBe(1);
  expect(await openWork()).toEqual([]);
  const row = await deps.db.selectFrom('machines').select(['next_at', 'lease_owner']).executeTakeFirstOrThrow();
  expect(row.lease_owner).toBeNull();
  expect(row.next_at?.getTime()).toBeGreaterThan(Date.now());
  await region.rack();
  await deps.db
    .updateTable('machines')
    .set({ next_at: new Date(0) })
    .execute();
  await convergeOnce(deps);
  expect(await openWork()).toHaveLength(1);
});

/**
 * @fault The rack that was to switch a machine goes away.
 * @sees Nothing where another rack reaches the BMC.
 * @ends An order that was not sent goes to another rack; one that was sent stays, so that nobody is switched twice.
 */
test('an order queued for a rack that went away goes to another one; a sent one stays', async () => {
  const { deps, admin } = region;
  const machine = await region.machine();
  await deps.door.apply(machine.systemId, { type: 'commission', actor: admin });
  await convergeOnce(deps);
  await deps.db.deleteFrom('rack_links').execute();
  await region.rack('rack02');
  const again = async () => {
    await deps.db
      .updateTable('machines')
      .set({ next_at: new Date(0) })
      .execute();
    await convergeOnce(deps);
    return (await openWork()).map((work) => work.rack_id);
  };
  expect(await again()).toEqual(['rack02']);
  await deps.db.updateTable('rack_work').set({ state: 'sent' }).where('state', '=', 'queued').execute();
  await deps.db.deleteFrom('rack_links').execute();
  await region.rack('rack01');
  expect(await again()).toEqual(['rack02']);
});

test('release gives back addresses, token and owner data, and the machine is deleted when it was made for one use', async () => {
  const { deps, admin } = region;
  const machine = await region.machine();
  await deps.db.insertInto('owner_data').values({ machine_id: machine.id, key: 'purpose', value: 'test' }).execute();
  const set = { status: 'DEPLOYED', owner_id: admin.id, power_state: 'off', dynamic: true };
  await deps.db.updateTable('machines').set(set).execute();
  await deps.door.apply(machine.systemId, { type: 'release', actor: admin });
  expect(await deps.door.load(machine.systemId)).toBeNull();
  expect(await deps.db.selectFrom('owner_data').select('key').execute()).toEqual([]);
  const gone = await deps.db.selectFrom('changes').select('key').where('kind', '=', 'gone').execute();
  expect(gone).toEqual([{ key: machine.systemId }]);
});

/**
 * @fault The answer of a BMC comes after the status of the machine has moved on.
 * @sees An event of level DEBUG: late power answer ignored.
 * @ends The answer is recorded and changes nothing.
 */
test('an order whose want is gone is not sent to a rack that comes back; its late answer is recorded and changes nothing', async () => {
  const { deps, admin } = region;
  const machine = await region.machine();
  await deps.door.apply(machine.systemId, { type: 'commission', actor: admin });
  await convergeOnce(deps);
  const [work] = await openWork();
  await deps.db.updateTable('rack_work').set({ state: 'sent' }).execute();
  await deps.door.apply(machine.systemId, { type: 'abort', actor: admin });
  expect((await openWork()).filter((open) => open.id === work?.id)).toEqual([]);
  const before = await deps.door.load(machine.systemId);
  expect(await completePowerWork(deps, work?.id ?? 0, { ok: true, state: 'on' })).toMatchObject({ note: 'stale' });
  expect(await deps.door.load(machine.systemId)).toEqual(before);
  const events = await deps.db.selectFrom('events').select('description').execute();
  expect(events.map((event) => event.description)).toContain('Late power answer ignored (on)');
});

test('a passed deadline fails the attempt by name, once, and a machine with time left is not touched', async () => {
  const { deps, admin } = region;
  const [late, early] = [await region.machine(), await region.machine()];
  for (const machine of [late, early]) await deps.door.apply(machine.systemId, { type: 'commission', actor: admin });
  const past = new Date(Date.now() - 1000);
  await deps.db.updateTable('machines').set({ waiting_deadline: past }).where('id', '=', late.id).execute();
  const sweep = createDeadlineSweep(deps);
  await sweep();
  await sweep();
  const { attempt, state } = await attemptOf(late.systemId);
  expect(attempt).toMatchObject({ outcome: 'failed', failure: { code: 'stuck.power' } });
  expect(state.status).toMatch(/^(FAILED_COMMISSIONING|NEW)$/);
  expect((await attemptOf(early.systemId)).state.status).toBe('COMMISSIONING');
});

test("an idle machine's power is asked for, and the answer is taken without a want", async () => {
  const { deps } = region;
  const machine = await region.machine();
  await deps.db.updateTable('machines').set({ status: 'READY' }).execute();
  expect(await pollPower(deps)).toBe(1);
  expect(await pollPower(deps)).toBe(0);
  const [work] = await openWork();
  expect(work).toMatchObject({ action: 'query' });
  const asked = queryPower(deps, machine.systemId, 5000);
  await completePowerWork(deps, work?.id ?? 0, { ok: true, state: 'on' });
  expect(await asked).toBe('on');
  expect(await pollPower(deps)).toBe(0);
});

test('clean-up keeps the twenty newest attempts of a machine with their evidence', async () => {
  const { deps } = region;
  const machine = await region.machine();
  const at = new Date();
  for (let id = 1; id <= 25; id += 1) {
    const attempt = {
      id,
      machine_id: machine.id,
      system_id: machine.systemId,
      hostname: machine.hostname,
      kind: 'test',
    };
    const rest = { started: at, ended: at, phase: 'power', phase_since: at };
    await deps.db
      .insertInto('attempts')
      .values({ ...attempt, ...rest })
      .execute();
    await deps.db
      .insertInto('evidence')
      .values({ attempt_id: id, kind: 'power.call', text: String(id) })
      .execute();
  }
  await cleanUp(deps);
  const kept = await deps.db.selectFrom('evidence').select('attempt_id').orderBy('attempt_id').execute();
  expect(kept.map((row) => row.attempt_id)).toEqual(Array.from({ length: 20 }, (_, index) => index + 6));
});

test('what only refers to a machine is written while a step of it is under way, and not after it', async () => {
  const { deps, admin } = region;
  const machine = await region.machine({ hostname: 'calm-fox' });
  let written = false;
  await deps.door.apply(machine.systemId, { type: 'lock', actor: admin }, undefined, async () => {
    // On a connection of its own; with the row's key locked it would wait for the step, which waits for it here.
    await deps.db.insertInto('body_dirty').values({ machine_id: machine.id }).execute();
    written = true;
    return true;
  });
  expect(written).toBe(true);
});

/** A door whose statements are noted, by their beginnings. */
function notedDoor(): { door: Door; asked: string[] } {
  const asked: string[] = [];
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool: preparing(region.deps.pool) }),
    log: ({ query }) => {
      asked.push(query.sql.trim().replace(/\s+/g, ' ').slice(0, 60));
    },
  });
  return { door: createDoor({ db, sealer: region.deps.sealer, decide, committed: () => undefined }), asked };
}

test('a phase costs five statements, transaction included', async () => {
  const { deps, admin } = region;
  const machine = await region.machine({ hostname: 'calm-fox' });
  await deps.door.apply(machine.systemId, { type: 'commission', actor: admin });
  const { attempt } = await attemptOf(machine.systemId);
  const { door, asked } = notedDoor();
  const evidence = { kind: 'agent.progress', text: 'x' };
  const enter = (phase: `script:${string}`) =>
    door.apply(machine.systemId, { type: 'phase', actor: agent, attemptId: attempt.id, phase, evidence });
  // The first one withdraws the order to switch it on.
  expect(await enter('script:first')).toMatchObject({ ok: true });
  asked.length = 0;
  expect(await enter('script:second')).toMatchObject({ ok: true });
  expect(asked, asked.join('\n')).toHaveLength(5);
});

test('an allocation of any number of machines costs five statements, transaction included, and tells each of them', async () => {
  const { deps, admin } = region;
  const systemIds: string[] = [];
  for (const hostname of ['calm-fox', 'calm-hen', 'calm-owl']) {
    const { systemId } = await region.machine({ hostname });
    systemIds.push(systemId);
  }
  await deps.db.updateTable('machines').set({ status: 'READY' }).where('system_id', 'in', systemIds).execute();
  const { door, asked } = notedDoor();
  const command = { type: 'allocate', actor: admin, agentName: 'model' } as const;
  const caller = {
    userId: admin.id,
    username: admin.name,
    endpoint: 'api',
    address: '192.0.2.7',
    userAgent: 'x',
  } as const;
  const applied = await door.applyEach(
    systemIds.map((systemId) => ({ systemId, command, caller })),
    false,
  );
  expect(asked, asked.join('\n')).toHaveLength(5);
  expect(applied.map((one) => one?.ok)).toEqual([true, true, true]);
  const rows = await deps.db
    .selectFrom('machines')
    .select(['system_id', 'status', 'owner_id', 'agent_name', 'version'])
    .where('system_id', 'in', systemIds)
    .orderBy('id')
    .execute();
  expect(rows).toEqual(
    systemIds.map((system_id) => ({
      system_id,
      status: 'ALLOCATED',
      owner_id: admin.id,
      agent_name: 'model',
      version: expect.any(Number),
    })),
  );
  const events = await deps.db
    .selectFrom('events')
    .select(['system_id', 'username', 'ip_address', 'endpoint', 'type'])
    .where('type', '=', 'REQUEST_NODE_ACQUIRE')
    .where('system_id', 'in', systemIds)
    .orderBy('id')
    .execute();
  expect(events).toEqual(
    systemIds.map((system_id) => ({
      system_id,
      username: admin.name,
      ip_address: '192.0.2.7',
      endpoint: 0,
      type: 'REQUEST_NODE_ACQUIRE',
    })),
  );
  const marks = await deps.db.selectFrom('changes').select('key').where('key', 'in', systemIds).orderBy('id').execute();
  expect(marks.slice(-3).map((row) => row.key)).toEqual(systemIds);
});
