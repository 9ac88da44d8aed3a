import type { MachinePatch } from '@ingot/contract/native.ts';
import type { Transaction } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { markMachines } from '../store/mark.ts';
import { readPowerParameters, writePowerParameters } from '../store/power-parameters.ts';
import { Problem } from '../store/problem.ts';
import type { Tables } from '../store/schema.ts';
import { refusedBy } from './failure.ts';
import type { Principal } from './principal.ts';
import type { FoundMachine } from './visible.ts';

/**
 * Changes what a machine is called, where it belongs and how its power is switched, in one transaction; never its state.
 * Power parameters are merged into the stored ones unless the type changes. Throws Problem for unknown places.
 */
export async function patchMachine(
  deps: RegionDeps,
  machine: FoundMachine,
  patch: MachinePatch,
  principal: Principal,
): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    const row = await trx
      .selectFrom('machines')
      .select(['id', 'locked', 'power_type'])
      .where('id', '=', machine.id)
      .forUpdate()
      .executeTakeFirstOrThrow();
    if (row.locked) {
      throw refusedBy([
        {
          code: 'locked',
          message: `${machine.hostname} is locked.`,
          fix: `Unlock it: ingot unlock ${machine.hostname}`,
        },
      ]);
    }
    const zone = patch.zone === undefined ? undefined : await placeId(trx, 'zones', patch.zone);
    const pool = patch.pool === undefined ? undefined : await placeId(trx, 'pools', patch.pool);
    await trx
      .updateTable('machines')
      .set((eb) => ({
        version: eb('version', '+', 1),
        updated: new Date(),
        ...(patch.hostname === undefined ? {} : { hostname: patch.hostname }),
        ...(patch.description === undefined ? {} : { description: patch.description }),
        ...(zone === undefined ? {} : { zone_id: zone }),
        ...(pool === undefined ? {} : { pool_id: pool }),
      }))
      .where('id', '=', row.id)
      .execute();
    if (patch.tags !== undefined) await setTags(trx, row.id, patch.tags);
    if (patch.powerType !== undefined || patch.powerParameters !== undefined) {
      const before = await readPowerParameters({ db: trx, sealer: deps.sealer }, machine.systemId);
      const type = patch.powerType ?? before.type;
      const kept = type === before.type ? before.parameters : {};
      const parameters = { ...kept, ...patch.powerParameters };
      await writePowerParameters({ db: trx, sealer: deps.sealer }, machine.systemId, { type, parameters });
    }
    const named = Object.keys(patch).filter((key) => key !== 'powerParameters');
    await trx
      .insertInto('events')
      .values({
        machine_id: row.id,
        system_id: machine.systemId,
        hostname: patch.hostname ?? machine.hostname,
        user_id: principal.userId,
        username: principal.username,
        type: 'NODE',
        level: 0,
        description: `Updated ${named.join(', ') || 'power parameters'} of '${machine.hostname}'.`,
        endpoint: { api: 0, ui: 1, cli: 2 }[endpointOf(principal)],
        ip_address: principal.address,
        user_agent: principal.userAgent,
      })
      .execute();
    await markMachines(trx, [{ id: row.id, systemId: machine.systemId }]);
  });
  deps.changes.announce();
}

function endpointOf(principal: Principal): 'api' | 'ui' | 'cli' {
  return { local: 'cli' as const, session: 'ui' as const, 'api-key': 'api' as const }[principal.via];
}

async function placeId(trx: Transaction<Tables>, table: 'zones' | 'pools', name: string): Promise<number> {
  const row = await trx.selectFrom(table).select('id').where('name', '=', name).executeTakeFirst();
  if (row) return row.id;
  const word = table === 'zones' ? 'zone' : 'pool';
  throw new Problem({
    code: `${word}.unknown`,
    kind: 'invalid',
    message: `There is no ${word} "${name}".`,
    field: word,
    fix: 'Use the name of one that exists.',
  });
}

async function setTags(trx: Transaction<Tables>, machineId: number, names: readonly string[]): Promise<void> {
  const wanted = [...new Set(names)].sort();
  await trx.deleteFrom('machine_tags').where('machine_id', '=', machineId).execute();
  if (wanted.length === 0) return;
  await trx
    .insertInto('tags')
    .values(wanted.map((name) => ({ name })))
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const tags = await trx.selectFrom('tags').select('id').where('name', 'in', wanted).execute();
  await trx
    .insertInto('machine_tags')
    .values(tags.map((tag) => ({ machine_id: machineId, tag_id: tag.id })))
    .execute();
}
