import { sql } from 'kysely';
import { EXCLUSION_VIOLATION, sqlState } from '../../store/pg-error.ts';
import { commit, markNetwork } from '../change.ts';
import { API_PREFIX } from '../describe.ts';
import { type Atlas, loadAtlas } from '../network/atlas.ts';
import { addressInCidr, isAddress } from '../network/cidr.ts';
import { subnetObject } from '../network/render.ts';
import { crud, EMPTY, json, parameter, type Reply, type Resource, type UserCall } from '../table.ts';
import {
  collectErrors,
  forbidden,
  invalidField,
  invalidForm,
  type MaasError,
  noMatch,
  PERMISSION_DENIED,
  REQUIRED,
} from '../wire/errors.ts';
import type { Json } from '../wire/json.ts';
import { formInteger } from '../wire/scalars.ts';
import { lastOf, textOf } from '../wire/values.ts';

interface RangeRow {
  id: number;
  subnet_id: number;
  kind: string;
  start: string;
  end: string;
  comment: string;
  user_id: number | null;
  username: string | null;
  email: string | null;
  is_superuser: boolean | null;
}

const KINDS: Readonly<Record<string, string>> = { dynamic: 'dynamic-range', reserved: 'reserved-range' };

function ranges(call: UserCall) {
  return call.deps.db
    .selectFrom('address_spans as a')
    .leftJoin('users as u', 'u.id', 'a.user_id')
    .select(['a.id', 'a.subnet_id', 'a.kind', 'a.comment', 'a.user_id', 'u.username', 'u.email', 'u.is_superuser'])
    .select([sql<string>`host(lower(a.span))`.as('start'), sql<string>`host(upper(a.span))`.as('end')])
    .where('a.kind', 'in', Object.values(KINDS))
    .orderBy('a.id');
}

function rangeObject(atlas: Atlas, row: RangeRow): Json {
  const subnet = atlas.subnets.get(row.subnet_id);
  return {
    id: row.id,
    type: row.kind === 'dynamic-range' ? 'dynamic' : 'reserved',
    start_ip: row.start,
    end_ip: row.end,
    comment: row.comment,
    user:
      row.username === null
        ? null
        : {
            username: row.username,
            email: row.email,
            is_local: true,
            is_superuser: row.is_superuser,
            resource_uri: `${API_PREFIX}users/${encodeURIComponent(row.username)}/`,
          },
    subnet: subnet === undefined ? null : subnetObject(atlas, subnet),
    resource_uri: `${API_PREFIX}ipranges/${row.id}/`,
  };
}

async function rangeOf(call: UserCall): Promise<RangeRow> {
  const id = Number(call.path.id);
  const row = Number.isSafeInteger(id) ? await ranges(call).where('a.id', '=', id).executeTakeFirst() : undefined;
  if (row === undefined) throw noMatch('IPRange');
  return row;
}

async function answer(call: UserCall, id: number): Promise<Reply> {
  const row = await ranges(call).where('a.id', '=', id).executeTakeFirstOrThrow();
  return json(rangeObject(await loadAtlas(call.deps.db), row));
}

interface RangeFields {
  kind: string;
  subnetId: number;
  vlanId: number;
  start: string;
  end: string;
  comment: string;
}

/** The form's fields laid over the stored range; everything that is wrong with them at once. */
async function fieldsOf(call: UserCall, before: RangeRow | null): Promise<RangeFields> {
  const { values } = call;
  const errors = collectErrors();
  const type =
    textOf(values, 'type') ?? (before?.kind === 'dynamic-range' ? 'dynamic' : before === null ? '' : 'reserved');
  const start = textOf(values, 'start_ip') ?? before?.start ?? '';
  const end = textOf(values, 'end_ip') ?? before?.end ?? '';
  const kind = KINDS[type];
  if (type === '') errors.add('type', REQUIRED);
  else if (kind === undefined) errors.add('type', `Value '${type}' is not a valid choice.`);
  for (const [field, value] of [
    ['start_ip', start],
    ['end_ip', end],
  ] as const) {
    if (value === '') errors.add(field, REQUIRED);
    else if (!isAddress(value)) errors.add(field, 'Enter a valid IPv4 or IPv6 address.');
  }
  errors.throwIfAny();
  const atlas = await loadAtlas(call.deps.db);
  const subnetId = formInteger(values, 'subnet') ?? before?.subnet_id;
  const subnet =
    subnetId === undefined
      ? [...atlas.subnets.values()].find((candidate) => addressInCidr(start, candidate.cidr))
      : atlas.subnets.get(subnetId);
  if (subnet === undefined) throw invalidField('subnet', REQUIRED);
  if (!addressInCidr(start, subnet.cidr)) errors.add('start_ip', 'Start IP address must be within subnet.');
  if (!addressInCidr(end, subnet.cidr)) errors.add('end_ip', 'End IP address must be within subnet.');
  errors.throwIfAny();
  const ordered = await sql<{ ok: boolean }>`SELECT ${start}::inet <= ${end}::inet AS ok`.execute(call.deps.db);
  if (ordered.rows[0]?.ok !== true)
    throw invalidField('end_ip', 'End IP address must not be less than Start IP address.');
  const comment = lastOf(values, 'comment') ?? before?.comment ?? '';
  return { kind: kind ?? '', subnetId: subnet.id, vlanId: subnet.vlan_id, start, end, comment };
}

/** Reserved ranges may be anybody's; dynamic ones are for administrators. */
function demandKind(call: UserCall, kind: string): void {
  if (kind === 'dynamic-range' && !call.user.admin)
    throw forbidden("Unable to create dynamic IP range. You don't have sufficient privileges.");
}

function conflictOf(kind: string): MaasError {
  const word = kind === 'dynamic-range' ? 'dynamic' : 'reserved';
  return invalidForm({ __all__: [`Requested ${word} range conflicts with an existing IP address or range.`] });
}

/** Given addresses and dynamic ranges exclude each other in the schema; ranges of either kind may not overlap besides. */
async function guarded(
  call: UserCall,
  fields: RangeFields,
  own: number | null,
  change: () => Promise<number>,
): Promise<number> {
  const other = await call.deps.db
    .selectFrom('address_spans')
    .select('id')
    .where('kind', 'in', Object.values(KINDS))
    .where(sql<boolean>`span && inetrange(${fields.start}::inet, ${fields.end}::inet, '[]')`)
    .where('id', 'is distinct from', own)
    .limit(1)
    .executeTakeFirst();
  if (other !== undefined) throw conflictOf(fields.kind);
  try {
    return await change();
  } catch (error) {
    if (sqlState(error) === EXCLUSION_VIOLATION) throw conflictOf(fields.kind);
    throw error;
  }
}

async function create(call: UserCall): Promise<Reply> {
  const fields = await fieldsOf(call, null);
  demandKind(call, fields.kind);
  const id = await guarded(call, fields, null, () =>
    commit(call.deps, async (trx) => {
      const row = await trx
        .insertInto('address_spans')
        .values({
          subnet_id: fields.subnetId,
          kind: fields.kind,
          span: `[${fields.start},${fields.end}]`,
          comment: fields.comment,
          user_id: call.user.id,
        })
        .returning('id')
        .executeTakeFirstOrThrow();
      await markNetwork(trx, `subnet:${fields.subnetId}`, []);
      return row.id;
    }),
  );
  return await answer(call, id);
}

function demandOwner(call: UserCall, row: RangeRow): void {
  if (!call.user.admin && row.user_id !== call.user.id) throw forbidden(PERMISSION_DENIED);
}

async function update(call: UserCall): Promise<Reply> {
  const row = await rangeOf(call);
  demandOwner(call, row);
  const fields = await fieldsOf(call, row);
  demandKind(call, fields.kind);
  const username = textOf(call.values, 'user');
  const owner =
    username === undefined
      ? undefined
      : await call.deps.db.selectFrom('users').select('id').where('username', '=', username).executeTakeFirst();
  if (username !== undefined && owner === undefined) throw invalidField('user', `User '${username}' does not exist.`);
  await guarded(call, fields, row.id, () =>
    commit(call.deps, async (trx) => {
      await trx
        .updateTable('address_spans')
        .set({
          subnet_id: fields.subnetId,
          kind: fields.kind,
          span: `[${fields.start},${fields.end}]`,
          comment: fields.comment,
          user_id: owner?.id,
          updated: new Date(),
        })
        .where('id', '=', row.id)
        .execute();
      await markNetwork(trx, `subnet:${fields.subnetId}`, []);
      return row.id;
    }),
  );
  return await answer(call, row.id);
}

async function remove(call: UserCall): Promise<Reply> {
  const row = await rangeOf(call);
  demandOwner(call, row);
  await commit(call.deps, async (trx) => {
    await trx.deleteFrom('address_spans').where('id', '=', row.id).execute();
    await markNetwork(trx, `subnet:${row.subnet_id}`, []);
  });
  return EMPTY;
}

const parameters = (required: boolean) => [
  parameter('type', 'dynamic or reserved.', 'String', required),
  parameter('start_ip', 'First address.', 'String', required),
  parameter('end_ip', 'Last address.', 'String', required),
  parameter('subnet', 'Id of the subnet; found by the first address when not given.', 'Int'),
  parameter('comment', 'Free text.'),
];

export const ipRangeRoutes: readonly Resource[] = [
  {
    paths: ['ipranges/'],
    anon: null,
    auth: {
      name: 'IPRangesHandler',
      doc: 'Address ranges.',
      operations: [
        crud('GET', 'user', { title: 'List address ranges' }, async (call) => {
          const atlas = await loadAtlas(call.deps.db);
          return json((await ranges(call).execute()).map((row) => rangeObject(atlas, row)));
        }),
        crud('POST', 'user', { title: 'Create an address range', parameters: parameters(true) }, create),
      ],
    },
  },
  {
    paths: ['ipranges/{id}/'],
    anon: null,
    auth: {
      name: 'IPRangeHandler',
      doc: 'One address range.',
      operations: [
        crud('GET', 'user', { title: 'Read an address range' }, async (call) => answer(call, (await rangeOf(call)).id)),
        crud(
          'PUT',
          'user',
          { title: 'Change an address range', parameters: [...parameters(false), parameter('user', 'New owner.')] },
          update,
        ),
        crud('DELETE', 'user', { title: 'Delete an address range' }, remove),
      ],
    },
  },
];
