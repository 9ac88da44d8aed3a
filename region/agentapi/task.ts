import type { ScriptItem, Task } from '@ingot/contract/agent.ts';
import { FAST_TRACK } from '@ingot/core/machine/draft.ts';
import type { RegionDeps } from '../deps.ts';
import { isFromInventory } from '../lifecycle/builtin-scripts.ts';
import { readSettings } from '../store/settings.ts';
import { type InstallRefused, installTask } from './install-task.ts';
import type { AgentMachine } from './machine-rows.ts';
import { isUnfinished, type ResultRow, resultsOfSet } from './script-rows.ts';
import type { AgentSession } from './session-rows.ts';

function scriptItem(row: ResultRow): ScriptItem {
  const parameters = typeof row.parameters === 'object' && row.parameters !== null ? { ...row.parameters } : {};
  return {
    resultId: row.id,
    name: row.name,
    builtin: row.builtin,
    text: null,
    timeoutSeconds: row.timeoutSeconds,
    parallel: row.parallel,
    hardwareType: row.hardwareType,
    parameters,
  };
}

async function scripts(
  deps: RegionDeps,
  machine: AgentMachine,
  phase: 'commissioning' | 'testing' | 'release',
): Promise<Task> {
  const rows = await resultsOfSet(deps.db, machine.id, phase);
  const settings = await readSettings(deps.db);
  const withBmc = phase === 'commissioning' && !machine.row.skip_bmc_config;
  return {
    kind: 'scripts',
    phase,
    scripts: rows.filter((row) => isUnfinished(row) && !isFromInventory(row)).map(scriptItem),
    bmc: withBmc
      ? {
          user: settings.maas_auto_ipmi_user,
          privilege: settings.maas_auto_ipmi_user_privilege_level,
          cipherSuite: settings.maas_auto_ipmi_cipher_suite_id,
          kg: settings.maas_auto_ipmi_k_g_bmc_key,
        }
      : null,
  };
}

const WIPE = 'wipe-disks';

async function release(deps: RegionDeps, machine: AgentMachine): Promise<Task> {
  const rows = (await resultsOfSet(deps.db, machine.id, 'release')).filter(isUnfinished);
  const others = rows.filter(({ name }) => name !== WIPE);
  if (others.length > 0) {
    return { kind: 'scripts', phase: 'release', scripts: others.map(scriptItem), bmc: null };
  }
  const wipe = rows.find(({ name }) => name === WIPE);
  if (!wipe) return { kind: 'leave', next: 'poweroff' };
  const { secure_erase = false, quick_erase = false } = scriptItem(wipe).parameters;
  return { kind: 'erase', secure: secure_erase === true, quick: quick_erase === true, resultId: wipe.id };
}

/**
 * What an idle agent hears: nothing yet, or at the end of a fast track to switch itself off. Where a BMC does that too,
 * only once it is wanted; who may log in, or waits for his own system to be started, stays.
 */
function whileStaying({ row, status, attemptId }: AgentMachine): Task | null {
  const busy = attemptId !== null || row.enable_ssh || status === 'DEPLOYED';
  if (busy || row.waiting_code === FAST_TRACK) return null;
  const byItself = row.power_type === '' || row.power_type === 'manual' || status === 'NEW';
  return byItself || row.power_want === 'off' ? { kind: 'leave', next: 'poweroff' } : null;
}

/**
 * What the machine's agent is to do now, by the machine's status alone: after a restart of agent or region the same
 * task comes again, without the scripts that have their result. Null = nothing at the moment, ask again.
 */
export async function taskFor(
  deps: RegionDeps,
  session: AgentSession,
  machine: AgentMachine | null,
  rackUrl: string | null,
): Promise<Task | InstallRefused | null> {
  if (!machine) return { kind: 'enlist' };
  if (session.attemptId === null && session.closing === 'stay') return whileStaying(machine);
  if (session.attemptId === null)
    return machine.status === 'NEW' ? { kind: 'enlist' } : { kind: 'leave', next: 'poweroff' };
  if (machine.row.attempt_id !== session.attemptId) {
    // Other work has begun, and that begins with the power; whoever was told to stay waits for it.
    return session.closing === 'stay' ? null : { kind: 'leave', next: 'poweroff' };
  }
  // Being in rescue mode ends the attempt of entering it.
  if (machine.status === 'RESCUE_MODE') return session.closing === 'stay' ? null : { kind: 'rescue' };
  if (session.over) return session.closing === 'stay' ? whileStaying(machine) : { kind: 'leave', next: 'poweroff' };
  switch (machine.status) {
    case 'COMMISSIONING':
      return scripts(deps, machine, 'commissioning');
    case 'TESTING':
      return scripts(deps, machine, 'testing');
    case 'DISK_ERASING':
    case 'RELEASING':
      return release(deps, machine);
    case 'DEPLOYING':
      return machine.row.netboot
        ? installTask(deps, machine, session.firmware, rackUrl)
        : { kind: 'leave', next: 'reboot' };
    case 'ENTERING_RESCUE_MODE':
      return { kind: 'rescue' };
    default:
      return { kind: 'leave', next: 'poweroff' };
  }
}
