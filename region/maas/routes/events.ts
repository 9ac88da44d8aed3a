import { type Expression, type SqlBool, sql } from 'kysely';
import { eventDate } from '../dates.ts';
import { eventLabel } from '../machines/event-labels.ts';
import { json, named, parameter, type Reply, type Resource, type UserCall } from '../table.ts';
import { badRequest } from '../wire/errors.ts';
import type { Json } from '../wire/json.ts';
import { normaliseMac } from '../wire/scalars.ts';
import { allOf, lastOf, textOf } from '../wire/values.ts';

const LEVELS: Readonly<Record<string, number>> = {
  AUDIT: 0,
  DEBUG: 10,
  INFO: 20,
  WARNING: 30,
  ERROR: 40,
  CRITICAL: 50,
};
const MOST = 1000;
const USUAL = 100;

const levelName = (level: number): string =>
  Object.entries(LEVELS).find(([, number]) => number === level)?.[0] ?? 'INFO';

/** Events of machines the caller sees; an older filter set than the machine list, unknown names ignored. */
async function query(call: UserCall): Promise<Reply> {
  const limit = numberOf(call, 'limit') ?? USUAL;
  if (limit > MOST) throw badRequest(`Requested number of events ${limit} is greater than limit: ${MOST}`);
  const count = Math.max(1, limit);
  const [before, after] = [numberOf(call, 'before'), numberOf(call, 'after')];
  if (before !== undefined && after !== undefined)
    throw badRequest('There is undetermined behaviour when both `after` and `before` are specified.');
  let select = call.deps.db
    .selectFrom('events as e')
    .innerJoin('machines as m', 'm.system_id', 'e.system_id')
    .select(['e.id', 'e.level', 'e.created', 'e.type', 'e.description', 'e.username', 'e.system_id', 'm.hostname'])
    .limit(count);
  for (const condition of conditionsOf(call)) select = select.where(condition);
  if (!call.user.admin) {
    select = select.where((eb) => eb.or([eb('m.owner_id', 'is', null), eb('m.owner_id', '=', call.user.id)]));
  }
  if (after !== undefined) select = select.where('e.id', '>', after).orderBy('e.id');
  else select = select.orderBy('e.id', 'desc');
  if (before !== undefined) select = select.where('e.id', '<', before);
  const rows = (await select.execute()).sort((a, b) => b.id - a.id);
  const events: Json[] = rows.map((row) => ({
    username: row.username === '' ? 'unknown' : row.username,
    node: row.system_id,
    hostname: row.hostname,
    id: row.id,
    level: levelName(row.level),
    created: eventDate(row.created),
    type: eventLabel(row.type),
    description: row.description,
  }));
  const newest = rows[0]?.id ?? (before === undefined ? undefined : before - 1);
  const oldest = rows.at(-1)?.id ?? (after === undefined ? undefined : after + 1);
  return json({
    count: events.length,
    events,
    next_uri: pageUri(call, 'after', newest),
    prev_uri: oldest === undefined ? null : pageUri(call, 'before', oldest),
  });
}

function numberOf(call: UserCall, name: string): number | undefined {
  const value = textOf(call.query, name);
  if (value === undefined) return undefined;
  if (!/^-?\d{1,15}$/.test(value)) throw badRequest(`Invalid ${name}: Please enter an integer value`);
  return Number(value);
}

function conditionsOf(call: UserCall): Expression<SqlBool>[] {
  const conditions: Expression<SqlBool>[] = [];
  const level = (textOf(call.query, 'level') ?? 'INFO').toUpperCase();
  const number = LEVELS[level];
  if (number === undefined) throw badRequest(`Unrecognised log level: ${level}`);
  // AUDIT stands apart: it is below all others, yet asking for others must not show it.
  conditions.push(level === 'AUDIT' ? sql<SqlBool>`e.level = ${number}` : sql<SqlBool>`e.level >= ${number}`);
  const lists: readonly (readonly [string, string])[] = [
    ['id', 'm.system_id'],
    ['hostname', 'm.hostname'],
    ['owner', 'e.username'],
    ['agent_name', 'm.agent_name'],
  ];
  for (const [name, column] of lists) {
    const wanted = allOf(call.query, name);
    if (wanted.length > 0) conditions.push(sql<SqlBool>`${sql.ref(column)} = ANY(${wanted}::text[])`);
  }
  const macs = allOf(call.query, 'mac_address').map((text) => {
    const mac = normaliseMac(text);
    if (mac === null) throw badRequest(`Invalid mac_address: '${text}' is not a valid MAC address.`);
    return mac;
  });
  if (macs.length > 0) {
    conditions.push(
      sql<SqlBool>`EXISTS (SELECT 1 FROM interfaces i WHERE i.machine_id = m.id AND i.mac = ANY(${macs}::text[]))`,
    );
  }
  const zone = lastOf(call.query, 'zone');
  if (zone !== undefined) conditions.push(sql<SqlBool>`m.zone_id IN (SELECT id FROM zones WHERE name = ${zone})`);
  const pool = lastOf(call.query, 'pool');
  if (pool !== undefined) conditions.push(sql<SqlBool>`m.pool_id IN (SELECT id FROM pools WHERE name = ${pool})`);
  const domains = allOf(call.query, 'domain');
  if (domains.length > 0) {
    conditions.push(sql<SqlBool>`m.domain_id IN (SELECT id FROM domains WHERE name = ANY(${domains}::text[]))`);
  }
  return conditions;
}

/** The same query with another bound, as a path. */
function pageUri(call: UserCall, bound: 'after' | 'before', id: number | undefined): string {
  const [path = '', text = ''] = call.requestPath.split('?', 2);
  const query = new URLSearchParams(text);
  for (const name of [...query.keys()])
    if (name === 'after' || name === 'before' || name.startsWith('oauth_')) query.delete(name);
  if (id !== undefined) query.set(bound, String(id));
  return `${path}?${query.toString()}`;
}

export const eventRoutes: readonly Resource[] = [
  {
    paths: ['events/'],
    anon: null,
    auth: {
      name: 'EventsHandler',
      doc: 'What happened to machines.',
      operations: [
        named(
          'GET',
          'query',
          'user',
          {
            title: 'Query events',
            parameters: [
              parameter('level', 'AUDIT, or this level and above; INFO by default.'),
              parameter('limit', 'At most this many, up to 1000; 100 by default.', 'Int'),
              parameter('before', 'Only events with a smaller id.', 'Int'),
              parameter('after', 'Only events with a greater id.', 'Int'),
              parameter('owner', 'Who caused it.'),
              parameter('id', 'System id; repeat for several.'),
              parameter('hostname', 'Host name; repeat for several.'),
              parameter('mac_address', 'MAC address; repeat for several.'),
              parameter('domain', 'DNS domain; repeat for several.'),
              parameter('zone', 'Zone.'),
              parameter('pool', 'Resource pool.'),
              parameter('agent_name', 'Agent name.'),
            ],
          },
          query,
        ),
      ],
    },
  },
];
