import { sql } from 'kysely';
import { commit, markWhere } from '../change.ts';
import { API_PREFIX } from '../describe.ts';
import { crud, EMPTY, json, parameter, type Reply, type Resource, type UserCall } from '../table.ts';
import { badRequest, invalidField, noMatch, REQUIRED } from '../wire/errors.ts';
import type { Json } from '../wire/json.ts';
import { lastOf } from '../wire/values.ts';

interface PlaceRow {
  id: number;
  name: string;
  description: string;
}

const zoneObject = (zone: PlaceRow): Json => ({
  id: zone.id,
  name: zone.name,
  description: zone.description,
  resource_uri: `${API_PREFIX}zones/${encodeURIComponent(zone.name)}/`,
});

const poolObject = (pool: PlaceRow): Json => ({
  id: pool.id,
  name: pool.name,
  description: pool.description,
  resource_uri: `${API_PREFIX}resourcepool/${pool.id}/`,
});

const PLACE_NAME = /^\w[ \w-]*$/;

/** A submitted name, checked; undefined when it was not sent. */
function placeName(call: UserCall, required: boolean): string | undefined {
  const name = lastOf(call.values, 'name')?.trim();
  if (name === undefined && !required) return undefined;
  if (name === undefined || name === '') throw invalidField('name', REQUIRED);
  if (!PLACE_NAME.test(name) || name.length > 256) throw invalidField('name', 'Enter a valid value.');
  return name;
}

interface PlaceKind {
  table: 'zones' | 'pools';
  label: string;
  model: string;
  column: 'm.zone_id' | 'm.pool_id';
  render: (row: PlaceRow) => Json;
}

const ZONE: PlaceKind = {
  table: 'zones',
  label: 'Physical zone',
  model: 'Zone',
  column: 'm.zone_id',
  render: zoneObject,
};
const POOL: PlaceKind = {
  table: 'pools',
  label: 'Resource pool',
  model: 'ResourcePool',
  column: 'm.pool_id',
  render: poolObject,
};

const duplicateOf = (kind: PlaceKind) => ({ name: [`${kind.label} with this Name already exists.`] });

async function list(kind: PlaceKind, call: UserCall): Promise<Reply> {
  const rows = await call.deps.db.selectFrom(kind.table).selectAll().orderBy('name').execute();
  return json(rows.map(kind.render));
}

async function create(kind: PlaceKind, call: UserCall): Promise<Reply> {
  const name = placeName(call, true) ?? '';
  const description = lastOf(call.values, 'description') ?? '';
  const row = await commit(
    call.deps,
    (trx) => trx.insertInto(kind.table).values({ name, description }).returningAll().executeTakeFirstOrThrow(),
    duplicateOf(kind),
  );
  return json(kind.render(row));
}

async function update(kind: PlaceKind, call: UserCall, row: PlaceRow): Promise<Reply> {
  const name = placeName(call, false) ?? row.name;
  const description = lastOf(call.values, 'description') ?? row.description;
  const changed = await commit(
    call.deps,
    async (trx) => {
      const after = await trx
        .updateTable(kind.table)
        .set({ name, description })
        .where('id', '=', row.id)
        .returningAll()
        .executeTakeFirstOrThrow();
      await markWhere(trx, sql`${sql.ref(kind.column)} = ${row.id}`);
      return after;
    },
    duplicateOf(kind),
  );
  return json(kind.render(changed));
}

async function zoneByName(call: UserCall): Promise<PlaceRow | undefined> {
  const name = call.path.name ?? '';
  return await call.deps.db.selectFrom('zones').selectAll().where('name', '=', name).executeTakeFirst();
}

async function zoneOf(call: UserCall): Promise<PlaceRow> {
  const zone = await zoneByName(call);
  if (zone === undefined) throw noMatch(ZONE.model);
  return zone;
}

async function poolOf(call: UserCall): Promise<PlaceRow> {
  const id = Number(call.path.id);
  const pool = Number.isInteger(id)
    ? await call.deps.db.selectFrom('pools').selectAll().where('id', '=', id).executeTakeFirst()
    : undefined;
  if (pool === undefined) throw noMatch(POOL.model);
  return pool;
}

/** Machines of a deleted zone move to the default one. An unknown zone is already gone: 204 (as upstream). */
async function deleteZone(call: UserCall): Promise<Reply> {
  const zone = await zoneByName(call);
  if (zone === undefined) return EMPTY;
  if (zone.id === 1) throw badRequest('This zone is the default zone, it cannot be deleted.');
  await commit(call.deps, async (trx) => {
    await markWhere(trx, sql`m.zone_id = ${zone.id}`);
    await trx.updateTable('machines').set({ zone_id: 1 }).where('zone_id', '=', zone.id).execute();
    await trx.deleteFrom('zones').where('id', '=', zone.id).execute();
  });
  return EMPTY;
}

async function deletePool(call: UserCall): Promise<Reply> {
  const pool = await poolOf(call);
  if (pool.id === 0) throw badRequest('This is the default pool, it cannot be deleted.');
  await commit(call.deps, async (trx) => {
    const used = await trx.selectFrom('machines').select('id').where('pool_id', '=', pool.id).limit(1).execute();
    if (used.length > 0) throw badRequest('Pool has machines in it, it cannot be deleted.');
    await trx.deleteFrom('pools').where('id', '=', pool.id).execute();
  });
  return EMPTY;
}

const name = parameter('name', 'The name.', 'String', true);
const newName = parameter('name', 'The new name.');
const description = parameter('description', 'A description in free text.');

export const placeRoutes: readonly Resource[] = [
  {
    paths: ['zones/'],
    anon: null,
    auth: {
      name: 'ZonesHandler',
      doc: 'Physical zones.',
      operations: [
        crud('GET', 'user', { title: 'List zones', body: 'All zones by name.' }, (call) => list(ZONE, call)),
        crud('POST', 'admin', { title: 'Create a zone', parameters: [name, description] }, (call) =>
          create(ZONE, call),
        ),
      ],
    },
  },
  {
    paths: ['zones/{name}/'],
    anon: null,
    auth: {
      name: 'ZoneHandler',
      doc: 'One physical zone.',
      operations: [
        crud('GET', 'user', { title: 'Read a zone' }, async (call) => json(zoneObject(await zoneOf(call)))),
        crud('PUT', 'admin', { title: 'Change a zone', parameters: [newName, description] }, async (call) =>
          update(ZONE, call, await zoneOf(call)),
        ),
        crud('DELETE', 'admin', { title: 'Delete a zone' }, deleteZone),
      ],
    },
  },
  {
    paths: ['resourcepools/'],
    anon: null,
    auth: {
      name: 'ResourcePoolsHandler',
      doc: 'Resource pools.',
      operations: [
        crud('GET', 'user', { title: 'List resource pools', body: 'All pools by name.' }, (call) => list(POOL, call)),
        crud('POST', 'admin', { title: 'Create a resource pool', parameters: [name, description] }, (call) =>
          create(POOL, call),
        ),
      ],
    },
  },
  {
    paths: ['resourcepool/{id}/'],
    anon: null,
    auth: {
      name: 'ResourcePoolHandler',
      doc: 'One resource pool.',
      operations: [
        crud('GET', 'user', { title: 'Read a resource pool' }, async (call) => json(poolObject(await poolOf(call)))),
        crud('PUT', 'admin', { title: 'Change a resource pool', parameters: [newName, description] }, async (call) =>
          update(POOL, call, await poolOf(call)),
        ),
        crud('DELETE', 'admin', { title: 'Delete a resource pool' }, deletePool),
      ],
    },
  },
];
