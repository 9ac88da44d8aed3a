import type { MachinePatch } from '@ingot/contract/native.ts';
import { refusal } from '@ingot/core/machine/catalogue.ts';
import { missingFields, powerTypeOf, wrongChoices } from '@ingot/core/power/power-types.ts';
import type { RegionDeps } from '../deps.ts';
import { writeEvents } from '../lifecycle/write-events.ts';
import { updateMachine } from '../machines/update.ts';
import { readPowerParameters } from '../store/power-parameters.ts';
import { Problem } from '../store/problem.ts';
import { failureFor, refusedBy } from './failure.ts';
import { actorOf, callerOf, type Principal } from './principal.ts';
import type { FoundMachine } from './visible.ts';

/**
 * Changes what a machine is called, where it belongs and how its power is switched; never its state. Power parameters are
 * merged into the stored ones unless the type changes. Throws Problem for unknown places, 403 for a locked machine.
 */
export async function patchMachine(
  deps: RegionDeps,
  machine: FoundMachine,
  patch: MachinePatch,
  principal: Principal,
): Promise<void> {
  const state = await deps.door.load(machine.systemId);
  if (state?.locked) throw refusedBy([refusal('locked', { machine: machine.hostname })]);
  await updateMachine(deps, machine.systemId, {
    hostname: patch.hostname,
    description: patch.description,
    tags: patch.tags,
    zoneId: patch.zone === undefined ? undefined : await placeId(deps, 'zones', patch.zone),
    poolId: patch.pool === undefined ? undefined : await placeId(deps, 'pools', patch.pool),
    power: await powerOf(deps, machine.systemId, patch),
  });
  const changed = Object.keys(patch).join(', ');
  const identity = { id: machine.id, systemId: machine.systemId, hostname: patch.hostname ?? machine.hostname };
  const event = { type: 'NODE', level: 'AUDIT' as const, description: `Updated ${changed} of '${machine.hostname}'.` };
  await deps.db
    .transaction()
    .execute((trx) => writeEvents(trx, identity, [event], actorOf(principal), callerOf(principal)));
}

async function powerOf(
  deps: RegionDeps,
  systemId: string,
  patch: MachinePatch,
): Promise<{ type: string; parameters: Record<string, string> } | undefined> {
  if (patch.powerType === undefined && patch.powerParameters === undefined) return undefined;
  const before = await readPowerParameters(deps, systemId);
  const type = patch.powerType ?? before.type;
  const kept = type === before.type ? before.parameters : {};
  const parameters = { ...kept, ...patch.powerParameters };
  checkPower(type, parameters, Object.keys(patch.powerParameters ?? {}));
  return { type, parameters };
}

/** An empty type takes the power settings away. Throws 400 for an unknown type and for a value that its fields do not allow. */
function checkPower(name: string, parameters: Record<string, string>, given: readonly string[]): void {
  if (name === '') return;
  const type = powerTypeOf(name);
  const wrong = (field: string, why: string) =>
    failureFor(
      'input.invalid',
      { what: field, why },
      { field, fix: 'GET /api/v1/power-types lists types and fields.' },
    );
  if (!type) throw wrong('powerType', `there is no power type "${name}"`);
  const unknown = given.find((key) => !type.fields.some((field) => field.name === key));
  if (unknown !== undefined) throw wrong(`powerParameters.${unknown}`, `power type ${name} has no such field`);
  const [missing] = missingFields(type, parameters);
  if (missing) throw wrong(`powerParameters.${missing.name}`, `power type ${name} needs it (${missing.label})`);
  const [bad] = wrongChoices(type, parameters);
  if (bad)
    throw wrong(`powerParameters.${bad.name}`, `one of ${bad.choices.map(([value]) => value).join(', ')} is wanted`);
}

async function placeId(deps: RegionDeps, table: 'zones' | 'pools', name: string): Promise<number> {
  const row = await deps.db.selectFrom(table).select('id').where('name', '=', name).executeTakeFirst();
  if (row) return row.id;
  const word = table === 'zones' ? 'zone' : 'pool';
  throw new Problem(`${word}.unknown`, { name }, { field: word });
}
