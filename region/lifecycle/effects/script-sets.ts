import type { Effect } from '@ingot/core/machine/model.ts';
import type { Insertable, Transaction } from 'kysely';
import type { ScriptResultsTable, Tables } from '../../store/schema.ts';
import type { Settings } from '../../store/settings.ts';
import { type BuiltinScript, selectScripts } from '../builtin-scripts.ts';
import { INSTALL_LOG, RESULT_STATUS, SET_COLUMN, SET_TYPE, type SetKind, UNFINISHED } from '../result-status.ts';
import type { EffectContext } from './context.ts';

type CreateScriptSet = Extract<Effect, { type: 'create-script-set' }>;

/** A result to be: the script and what tells its instances apart. */
interface Wanted {
  script: Pick<BuiltinScript, 'name' | 'hardwareType' | 'parallel' | 'timeoutSeconds' | 'perDisk' | 'tags'>;
  parameters: Record<string, unknown>;
}

const installLog: Wanted['script'] = {
  name: INSTALL_LOG,
  hardwareType: 0,
  parallel: 0,
  timeoutSeconds: 0,
  perDisk: false,
  tags: [],
};

const KEPT: Record<SetKind, (settings: Settings) => number> = {
  commissioning: (settings) => settings.max_node_commissioning_results,
  testing: (settings) => settings.max_node_testing_results,
  installation: (settings) => settings.max_node_installation_results,
  release: (settings) => settings.max_node_release_results,
  deployment: (settings) => settings.max_node_deployment_results,
};

function wanted(effect: CreateScriptSet): Wanted[] {
  const parameters = effect.scripts?.parameters ?? {};
  switch (effect.kind) {
    case 'commissioning':
      return selectScripts('commissioning', effect.scripts?.commissioning).map((script) => ({ script, parameters }));
    case 'testing':
      return selectScripts('testing', effect.scripts?.testing).map((script) => ({ script, parameters }));
    case 'installation':
      return [{ script: installLog, parameters: {} }];
    case 'release': {
      const words = [...(effect.scripts?.release ?? []), ...(effect.wipe ? ['wipe-disks'] : [])];
      const wipe = effect.wipe ? { secure_erase: effect.wipe.secure, quick_erase: effect.wipe.quick } : {};
      return selectScripts('release', words).map((script) => ({
        script,
        parameters: script.name === 'wipe-disks' ? { ...parameters, ...wipe } : parameters,
      }));
    }
    case 'deployment':
      // Deployment scripts are all custom ones; there are none built in.
      return [];
  }
}

/** Makes a set with its pending results and points the machine at it; without scripts the machine points at none. */
export async function createScriptSet(context: EffectContext, effect: CreateScriptSet): Promise<void> {
  const { trx, machineId, machine } = context;
  const type = SET_TYPE[effect.kind];
  const column = SET_COLUMN[effect.kind];
  await abortOlder(trx, machineId, type);
  // Tests belong to the commissioning they follow; a commissioning without tests must not run those of before.
  if (effect.kind === 'commissioning') {
    await trx.updateTable('machines').set({ set_testing: null }).where('id', '=', machineId).execute();
  }
  const scripts = wanted(effect);
  if (scripts.length === 0) {
    await trx
      .updateTable('machines')
      .set({ [column]: null })
      .where('id', '=', machineId)
      .execute();
    return;
  }
  const requested = JSON.stringify({ ...effect.scripts, ...(effect.wipe ? { wipe: effect.wipe } : {}) });
  const set = await trx
    .insertInto('script_sets')
    .values({ machine_id: machineId, type, attempt_id: machine.attempt?.id ?? null, requested })
    .returning('id')
    .executeTakeFirstOrThrow();
  const disks = await physicalDisks(trx, machineId);
  const rows = scripts.flatMap(({ script, parameters }) => instances(set.id, script, parameters, disks));
  await trx.insertInto('script_results').values(rows).execute();
  if (effect.kind === 'commissioning' && machine.skipBmcConfig) await skipBmcConfig(trx, set.id);
  await trx
    .updateTable('machines')
    .set({ [column]: set.id })
    .where('id', '=', machineId)
    .execute();
  await forgetOldest(trx, machineId, type, KEPT[effect.kind](context.settings));
}

interface Disk {
  id: number;
  name: string;
  model: string | null;
  serial: string | null;
  id_path: string | null;
}

function physicalDisks(trx: Transaction<Tables>, machineId: number): Promise<Disk[]> {
  return trx
    .selectFrom('block_devices')
    .select(['id', 'name', 'model', 'serial', 'id_path'])
    .where('machine_id', '=', machineId)
    .where('type', '=', 'physical')
    .orderBy('id')
    .execute();
}

/** One row, or one a disk; while no disk is known, one placeholder for "all" (see expandStorageResults). */
function instances(
  setId: number,
  script: Wanted['script'],
  parameters: Record<string, unknown>,
  disks: Disk[],
): Insertable<ScriptResultsTable>[] {
  const row = {
    set_id: setId,
    name: script.name,
    hardware_type: script.hardwareType,
    parallel: script.parallel,
    timeout_seconds: script.timeoutSeconds,
  };
  if (!script.perDisk) return [{ ...row, block_device_id: null, parameters: JSON.stringify(parameters) }];
  if (disks.length === 0) {
    return [{ ...row, block_device_id: null, parameters: JSON.stringify({ ...parameters, storage: 'all' }) }];
  }
  return disks.map((disk) => {
    const { name, model, serial, id_path } = disk;
    const storage = { name, model, serial, id_path, path: `/dev/${name}` };
    return { ...row, block_device_id: disk.id, parameters: JSON.stringify({ ...parameters, storage }) };
  });
}

/** After the hardware report: pending per-disk results of the current testing set become one for each disk now known. */
export async function expandStorageResults(trx: Transaction<Tables>, machineId: number): Promise<void> {
  const machine = await trx
    .selectFrom('machines')
    .select('set_testing')
    .where('id', '=', machineId)
    .executeTakeFirstOrThrow();
  const disks = await physicalDisks(trx, machineId);
  if (machine.set_testing === null || disks.length === 0) return;
  const set = await trx
    .selectFrom('script_sets')
    .select(['id', 'requested'])
    .where('id', '=', machine.set_testing)
    .executeTakeFirst();
  if (!set) return;
  const removed = await trx
    .deleteFrom('script_results')
    .where('set_id', '=', set.id)
    .where('hardware_type', '=', 3)
    .where('status', '=', RESULT_STATUS.pending)
    .returning('name')
    .execute();
  const names = new Set(removed.map(({ name }) => name));
  const scripts = selectScripts('testing', [...names]).filter((script) => names.has(script.name));
  const rows = scripts.flatMap((script) => instances(set.id, script, {}, disks));
  if (rows.length > 0) await trx.insertInto('script_results').values(rows).execute();
}

async function skipBmcConfig(trx: Transaction<Tables>, setId: number): Promise<void> {
  const text = Buffer.from('Skipped: this commissioning was asked to leave the BMC alone.\n');
  await trx
    .updateTable('script_results')
    .set({
      status: RESULT_STATUS.skipped,
      exit_status: 0,
      output: text,
      stdout: text,
      started: new Date(),
      ended: new Date(),
    })
    .where('set_id', '=', setId)
    .where('name', '=', '30-maas-01-bmc-config')
    .execute();
}

async function abortOlder(trx: Transaction<Tables>, machineId: number, type: number): Promise<void> {
  const sets = trx.selectFrom('script_sets').select('id').where('machine_id', '=', machineId).where('type', '=', type);
  await trx
    .updateTable('script_results')
    .set({ status: RESULT_STATUS.aborted, ended: new Date(), updated: new Date() })
    .where('set_id', 'in', sets)
    .where('status', 'in', [...UNFINISHED])
    .execute();
}

async function forgetOldest(trx: Transaction<Tables>, machineId: number, type: number, keep: number): Promise<void> {
  const kept = trx
    .selectFrom('script_sets')
    .select('id')
    .where('machine_id', '=', machineId)
    .where('type', '=', type)
    .orderBy('id', 'desc')
    .limit(keep);
  await trx
    .deleteFrom('script_sets')
    .where('machine_id', '=', machineId)
    .where('type', '=', type)
    .where('id', 'not in', kept)
    .execute();
}
