import { candidates, type Match } from '@ingot/core/allocate/candidates.ts';
import type { Submitted } from '@ingot/core/allocate/constraints.ts';
import { nothingAvailable } from '@ingot/core/allocate/describe.ts';
import { parseConstraints } from '@ingot/core/allocate/parse.ts';
import { jsonText, type Reply, type UserCall } from '../table.ts';
import { badRequest, conflict, invalidField, invalidForm } from '../wire/errors.ts';
import { type Json, toJson } from '../wire/json.ts';
import { strictBoolean } from '../wire/scalars.ts';
import { allOf, lastOf, namesOf, textOf } from '../wire/values.ts';
import { allocatable, loadSite } from './candidate-rows.ts';
import { actorOf, callerOf, commentOf, refusalError } from './command.ts';
import { storedBody } from './stored.ts';

/** Fresh looks at what is Ready after all candidates of a look were taken by others. */
const ROUNDS = 3;
/** Candidates tried in one look. */
const TRIES = 32;

/**
 * Takes the cheapest machine that meets all constraints, or with dry_run only names it. Others may take a candidate in
 * the same moment: then the next one is tried. 409 when none is left, with the texts clients know.
 */
export async function allocate(call: UserCall): Promise<Reply> {
  const { db } = call.deps;
  const options = optionsOf(call);
  const submitted: Submitted = namesOf(call.values).map((name) => [name, allOf(call.values, name)] as const);
  const site = await loadSite(db);
  const parsed = parseConstraints(submitted, site);
  if (!parsed.ok) throw invalidForm(parsed.errors);
  for (let round = 1; round <= ROUNDS; round++) {
    const { ordered } = candidates(await allocatable(db, call.user), parsed.constraints, site.network);
    if (ordered.length === 0) break;
    const taken = options.dryRun ? ordered[0] : await take(call, ordered.slice(0, TRIES), options.agentName);
    if (taken !== undefined) return await answer(call, taken, options.verbose ? ordered : null);
  }
  throw conflict(nothingAvailable(submitted, parsed.constraints));
}

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

async function take(call: UserCall, ordered: readonly Match[], agentName: string): Promise<Match | undefined> {
  for (const match of ordered) {
    const applied = await call.deps.door.apply(
      match.row.systemId,
      { type: 'allocate', actor: actorOf(call), agentName, comment: commentOf(call) },
      callerOf(call),
    );
    if (applied.ok) return match;
    // Taken, locked or given away meanwhile is a lost race; anything else is a reason.
    const code = applied.refused[0]?.code ?? '';
    if (!/^(status\.|perm\.|locked$)/.test(code)) throw refusalError('allocate', applied.refused);
  }
  return undefined;
}

/** The stored body with the matches put in as its last key. */
async function answer(call: UserCall, taken: Match, verboseOver: readonly Match[] | null): Promise<Reply> {
  const body = await storedBody(call.deps.db, taken.row.id);
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
