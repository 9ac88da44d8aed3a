import { STATUS_LABELS, type Status } from '@ingot/core/machine/status.ts';
import { RELEASABLE } from '@ingot/core/machine/transitions.ts';
import { sql } from 'kysely';
import { readPowerParameters } from '../../store/power-parameters.ts';
import { commit, markWhere } from '../change.ts';
import { type Call, json, type Reply, type UserCall } from '../table.ts';
import { badRequest, conflict, forbidden, invalidField, missingParameter } from '../wire/errors.ts';
import type { Json } from '../wire/json.ts';
import { normaliseMac, splitWords } from '../wire/scalars.ts';
import { allOf, textOf } from '../wire/values.ts';
import { actorOf, applyOr404, callerOf, commentOf, perform } from './command.ts';
import { filterMachines, idsWhere } from './filters.ts';
import { listMachines } from './list.ts';
import { may, type Permission } from './permissions.ts';

interface Named {
  id: number;
  system_id: string;
  status: string;
  owner_id: number | null;
  locked: boolean;
}

export async function list(call: UserCall): Promise<Reply> {
  return await listMachines(call.deps, await filterMachines(call.deps.db, call.user, call.query));
}

export async function listAllocated(call: UserCall): Promise<Reply> {
  const wanted = allOf(call.query, 'id');
  const conditions = [sql<boolean>`m.status = 'ALLOCATED'`, sql<boolean>`m.owner_id = ${call.user.id}`];
  if (wanted.length > 0) conditions.push(sql<boolean>`m.system_id = ANY(${wanted}::text[])`);
  return await listMachines(call.deps, await idsWhere(call.deps.db, call.user, conditions));
}

/** The machines a request names, all of them known and permitted: 400 for unknown ids, 403 without the permission. */
async function namedMachines(call: UserCall, field: string, permission: Permission, verb: string): Promise<Named[]> {
  const ids = [...new Set(splitWords(allOf(call.values, field)))];
  if (ids.length === 0) return [];
  const rows = await call.deps.db
    .selectFrom('machines')
    .select(['id', 'system_id', 'status', 'owner_id', 'locked'])
    .where('system_id', 'in', ids)
    .orderBy('id')
    .execute();
  const unknown = ids.filter((id) => !rows.some((row) => row.system_id === id));
  if (unknown.length > 0) throw badRequest(`Unknown machine(s): ${unknown.join(', ')}.`);
  const denied = rows.filter((row) => !may(call.user, permission, row)).map((row) => row.system_id);
  if (denied.length > 0) {
    throw forbidden(
      `You don't have the required permission to ${verb} the following machine(s): ${denied.join(', ')}.`,
    );
  }
  return rows;
}

const isStatus = (text: string): text is Status => Object.hasOwn(STATUS_LABELS, text);
const labelOf = (status: string): string => (isStatus(status) ? STATUS_LABELS[status] : status);

/** Ids actually released; machines that are Ready already are skipped silently. */
export async function releaseMany(call: UserCall): Promise<Reply> {
  const machines = await namedMachines(call, 'machines', 'edit', 'release');
  const releasable: readonly string[] = RELEASABLE;
  const wrong = machines.filter((row) => row.status !== 'READY' && !releasable.includes(row.status));
  if (wrong.length > 0) {
    const names = wrong.map((row) => `${row.system_id} ('${labelOf(row.status)}')`).join(', ');
    throw conflict(`Machine(s) cannot be released in their current state: ${names}.`);
  }
  const released: string[] = [];
  for (const machine of machines.filter((row) => row.status !== 'READY')) {
    await perform(call, machine.system_id, { type: 'release', actor: actorOf(call), comment: commentOf(call) });
    released.push(machine.system_id);
  }
  return json(released);
}

/** Only the machines that were New are in the answer; Ready and Commissioning ones are skipped silently. */
async function acceptAmong(call: UserCall, machines: readonly Named[]): Promise<Reply> {
  const wrong = machines.find((row) => !['NEW', 'READY', 'COMMISSIONING'].includes(row.status));
  if (wrong !== undefined) {
    throw conflict(`Cannot accept node enlistment: node ${wrong.system_id} is in state ${labelOf(wrong.status)}.`);
  }
  const fresh = machines.filter((row) => row.status === 'NEW');
  for (const machine of fresh) {
    await perform(call, machine.system_id, { type: 'accept', actor: actorOf(call) });
  }
  return await listMachines(
    call.deps,
    fresh.map((row) => row.id),
  );
}

/** The same, but whoever cannot be started now (its BMC is unknown, say) keeps nobody else from it. */
async function acceptWhoCan(call: UserCall, machines: readonly Named[]): Promise<Reply> {
  const accepted: number[] = [];
  for (const { id, system_id } of machines) {
    const command = { type: 'accept', actor: actorOf(call) } as const;
    const applied = await applyOr404(() => call.deps.door.apply(system_id, command, callerOf(call)));
    if (applied.ok) accepted.push(id);
  }
  return await listMachines(call.deps, accepted);
}

export async function accept(call: UserCall): Promise<Reply> {
  return await acceptAmong(call, await namedMachines(call, 'machines', 'admin', 'accept'));
}

/** All New machines the caller administers; one that cannot be started now is left as it is. */
export async function acceptAll(call: UserCall): Promise<Reply> {
  if (!call.user.admin) return json([]);
  const machines = await call.deps.db
    .selectFrom('machines')
    .select(['id', 'system_id', 'status', 'owner_id', 'locked'])
    .where('status', '=', 'NEW')
    .where('locked', '=', false)
    .orderBy('id')
    .execute();
  return await acceptWhoCan(call, machines);
}

/** Power parameters with their secrets, by system id. */
export async function powerParametersOfMany(call: UserCall): Promise<Reply> {
  const wanted = splitWords(allOf(call.query, 'id'));
  let query = call.deps.db.selectFrom('machines').select('system_id').orderBy('id');
  if (wanted.length > 0) query = query.where('system_id', 'in', wanted);
  const all: Record<string, Json> = {};
  for (const { system_id } of await query.execute()) {
    all[system_id] = (await readPowerParameters(call.deps, system_id)).parameters;
  }
  return json(all);
}

/** Machines that the caller may not administer are left where they are, as upstream does without a word. */
export async function setZone(call: UserCall): Promise<Reply> {
  const name = textOf(call.values, 'zone');
  const ids = splitWords(allOf(call.values, 'nodes'));
  if (name === undefined) throw invalidField('zone', 'This field is required.');
  if (ids.length === 0) throw invalidField('nodes', 'This field is required.');
  const zone = await call.deps.db.selectFrom('zones').select('id').where('name', '=', name).executeTakeFirst();
  if (zone === undefined) {
    throw invalidField('zone', 'Select a valid choice. That choice is not one of the available choices.');
  }
  if (!call.user.admin) return json(null);
  await commit(call.deps, async (trx) => {
    await markWhere(trx, sql`m.system_id = ANY(${ids}::text[])`);
    await trx
      .updateTable('machines')
      .set({ zone_id: zone.id })
      .where('system_id', 'in', ids)
      .where('locked', '=', false)
      .execute();
  });
  return json(null);
}

/** Statuses that do not count as registered for `is_registered`; callers without credentials see even fewer. */
const UNREGISTERED = ['RETIRED'];
const UNREGISTERED_ANONYMOUSLY = ['RETIRED', 'NEW', 'COMMISSIONING'];
const IN_ACTION = [
  'COMMISSIONING',
  'DEPLOYING',
  'RELEASING',
  'DISK_ERASING',
  'TESTING',
  'ENTERING_RESCUE_MODE',
  'EXITING_RESCUE_MODE',
];

async function statusesOfMac(call: Call): Promise<string[]> {
  const text = textOf(call.query, 'mac_address');
  if (text === undefined) throw missingParameter('mac_address');
  const mac = normaliseMac(text);
  if (mac === null) throw badRequest(`Invalid mac_address: '${text}' is not a valid MAC address.`);
  const rows = await call.deps.db
    .selectFrom('machines as m')
    .innerJoin('interfaces as i', 'i.machine_id', 'm.id')
    .select('m.status')
    .where('i.mac', '=', mac)
    .execute();
  return rows.map((row) => row.status);
}

export async function isRegistered(call: Call): Promise<Reply> {
  return json((await statusesOfMac(call)).some((status) => !UNREGISTERED.includes(status)));
}

export async function isRegisteredAnonymously(call: Call): Promise<Reply> {
  return json((await statusesOfMac(call)).some((status) => !UNREGISTERED_ANONYMOUSLY.includes(status)));
}

export async function isActionInProgress(call: Call): Promise<Reply> {
  return json((await statusesOfMac(call)).some((status) => IN_ACTION.includes(status)));
}
