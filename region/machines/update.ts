import type { Transaction, Updateable } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { markMachines } from '../store/mark.ts';
import { NotFound } from '../store/not-found.ts';
import { sqlState, UNIQUE_VIOLATION } from '../store/pg-error.ts';
import { writePowerParameters } from '../store/power-parameters.ts';
import { Problem } from '../store/problem.ts';
import type { MachinesTable, Tables } from '../store/schema.ts';
import { hostnameTaken } from './create.ts';
import { wantedHostname } from './hostname.ts';

export interface MachineChange {
  hostname?: string;
  architecture?: string;
  description?: string;
  zoneId?: number;
  poolId?: number;
  domainId?: number;
  minHweKernel?: string;
  cpuCount?: number;
  /** MiB */
  memory?: number;
  /** Replaces type and parameters as a whole. */
  power?: { type: string; parameters: Record<string, string> };
  /** Names; replaces all. Unknown ones are made. */
  tags?: readonly string[];
}

/** Changes what a person describes of a machine; its state is none of it. Throws NotFound and Problem. */
export async function updateMachine(
  deps: Pick<RegionDeps, 'db' | 'sealer' | 'changes'>,
  systemId: string,
  change: MachineChange,
): Promise<void> {
  const hostname = change.hostname === undefined ? undefined : (wantedHostname(change.hostname) ?? undefined);
  try {
    await deps.db.transaction().execute(async (trx) => {
      const row = await trx
        .selectFrom('machines')
        .select(['id', 'version'])
        .where('system_id', '=', systemId)
        .forUpdate()
        .executeTakeFirst();
      if (!row) throw new NotFound('machine', systemId);
      const set: Updateable<MachinesTable> = {
        hostname,
        architecture: change.architecture,
        description: change.description,
        zone_id: change.zoneId,
        pool_id: change.poolId,
        domain_id: change.domainId,
        min_hwe_kernel: change.minHweKernel,
        cpu_count: change.cpuCount,
        memory: change.memory,
        version: row.version + 1,
        updated: new Date(),
      };
      await trx.updateTable('machines').set(set).where('id', '=', row.id).execute();
      if (change.tags) await replaceTags(trx, row.id, change.tags);
      if (change.power) await writePowerParameters({ db: trx, sealer: deps.sealer }, systemId, change.power);
      await markMachines(trx, [{ id: row.id, systemId }]);
    });
  } catch (error) {
    if (sqlState(error) === UNIQUE_VIOLATION && hostname !== undefined) throw hostnameTaken(hostname);
    throw error;
  }
  deps.changes.announce();
}

async function replaceTags(trx: Transaction<Tables>, machineId: number, names: readonly string[]): Promise<void> {
  const wanted = [...new Set(names)];
  const wrong = wanted.find((name) => !/^[\w-]{1,256}$/.test(name));
  if (wrong !== undefined) {
    throw new Problem('tag.name_invalid', { name: wrong }, { field: 'tags' });
  }
  await trx.deleteFrom('machine_tags').where('machine_id', '=', machineId).execute();
  if (wanted.length === 0) return;
  await trx
    .insertInto('tags')
    .values(wanted.map((name) => ({ name })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const tags = await trx.selectFrom('tags').select('id').where('name', 'in', wanted).execute();
  await trx
    .insertInto('machine_tags')
    .values(tags.map(({ id }) => ({ machine_id: machineId, tag_id: id })))
    .execute();
}
