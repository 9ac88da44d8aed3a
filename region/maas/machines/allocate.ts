import { fitting, leastCost, type Match, needsDevices } from '@ingot/core/allocate/candidates.ts';
import type { Submitted } from '@ingot/core/allocate/constraints.ts';
import { nothingAvailable } from '@ingot/core/allocate/describe.ts';
import { parseConstraints } from '@ingot/core/allocate/parse.ts';
import { allocatorOf } from '../../machines/allocation/allocator.ts';
import { jsonText, type Reply, type UserCall } from '../table.ts';
import { badRequest, conflict, invalidField, invalidForm } from '../wire/errors.ts';
import { type Json, toJson } from '../wire/json.ts';
import { strictBoolean } from '../wire/scalars.ts';
import { allOf, lastOf, namesOf, textOf } from '../wire/values.ts';
import { actorOf, callerOf, commentOf, refusalError } from './command.ts';
import { bodyAfterGrant } from './granted-body.ts';
import { siteFor } from './site.ts';

/**
 * Takes the cheapest machine that meets all constraints, or with dry_run only names it. 409 when there is none, with the
 * texts clients know.
 */
export async function allocate(call: UserCall): Promise<Reply> {
  const { db } = call.deps;
  const options = optionsOf(call);
  const submitted: Submitted = namesOf(call.values).map((name) => [name, allOf(call.values, name)] as const);
  const site = await siteFor(
    db,
    submitted.map(([name]) => name),
  );
  const parsed = parseConstraints(submitted, site);
  if (!parsed.ok) throw invalidForm(parsed.errors);
  const { constraints } = parsed;
  const command = {
    type: 'allocate',
    actor: actorOf(call),
    agentName: options.agentName,
    comment: commentOf(call),
  } as const;
  const allocation = await allocatorOf(call.deps)({
    person: call.user,
    test: fitting(constraints, site.network),
    devices: needsDevices(constraints),
    each: needsDevices(constraints) || constraints.name !== undefined || constraints.system_id !== undefined,
    take: options.dryRun ? null : { command, caller: callerOf(call) },
    pool: onlyOne(constraints.pool),
    zone: onlyOne(constraints.zone),
    leastCost: leastCost(constraints),
    listAll: options.verbose,
    explain: false,
  });
  switch (allocation.kind) {
    case 'none':
      throw conflict(nothingAvailable(submitted, constraints));
    case 'refused':
      throw refusalError('allocate', allocation.refused);
    case 'chosen':
      return await answer(call, allocation.match, options.verbose ? allocation.all : null);
  }
}

const onlyOne = ([first, ...others]: readonly string[] = []) => (others.length === 0 ? (first ?? null) : null);

function optionsOf(call: UserCall): { dryRun: boolean; verbose: boolean; agentName: string } {
  const { values } = call;
  const type = textOf(values, 'bridge_type') ?? 'standard';
  if (type !== 'standard' && type !== 'ovs') {
    throw invalidField('bridge_type', `Select a valid choice. ${type} is not one of the available choices.`);
  }
  strictBoolean(values, 'bridge_stp', false);
  if (strictBoolean(values, 'bridge_all', false))
    throw badRequest('Invalid bridge_all: bridges are not available on this server.');
  return {
    dryRun: strictBoolean(values, 'dry_run', false),
    verbose: strictBoolean(values, 'verbose', false),
    agentName: lastOf(values, 'agent_name') ?? '',
  };
}

/** The stored body with the matches put in as its last key. */
async function answer(call: UserCall, taken: Match, verboseOver: readonly Match[] | null): Promise<Reply> {
  const body = await bodyAfterGrant(call.deps.db, taken.row.id);
  if (body === null) throw conflict(`No machine with system ID ${taken.row.systemId} available.`);
  const matches: Json = verboseOver === null ? taken.byType : { ...taken.byType, ...verboseMaps(verboseOver) };
  const open = body.slice(0, body.lastIndexOf('\n}'));
  return jsonText(`${open},\n    "constraints_by_type": ${toJson(matches, '    ')}\n}`);
}

/** For every fitting machine (by database id as text): device → label, and per label its interfaces. */
function verboseMaps(matches: readonly Match[]): { [key: string]: Json } {
  const storage: Record<string, Record<string, string>> = {};
  const interfaces: Record<string, Record<string, number[]>> = {};
  for (const { row, byType } of matches) {
    for (const [label, devices] of Object.entries(byType.storage ?? {})) {
      const map = storage[row.id] ?? {};
      for (const device of devices) map[String(device)] = label;
      storage[row.id] = map;
    }
    for (const [label, ids] of Object.entries(byType.interfaces ?? {})) {
      interfaces[label] = { ...interfaces[label], [row.id]: ids };
    }
  }
  return { verbose_storage: storage, verbose_interfaces: interfaces };
}
