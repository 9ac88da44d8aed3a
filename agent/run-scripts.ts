import { readFile, rm } from 'node:fs/promises';
import type { BmcReport, Done, Inventory, ScriptItem, ScriptOutcome, Task } from '@ingot/contract/agent.ts';
import { parse } from 'yaml';
import { type BmcOutcome, configureBmc } from './bmc.ts';
import { BMC_CONFIG_PATH, EXTRA_FILES, runCustomScript } from './custom-script.ts';
import { scriptBatches } from './script-order.ts';
import { scriptOutcome } from './script-outcome.ts';
import type { BuiltinContext } from './scripts/builtin.ts';
import { BUILTINS } from './scripts/builtins.ts';
import type { Workplace } from './tasks.ts';

/** Characters of such a file that are sent. */
const EXTRA_LIMIT = 1024 * 1024;

type ScriptsTask = Extract<Task, { kind: 'scripts' }>;

export type ScriptsInput = Pick<Workplace, 'client' | 'reporter' | 'devices' | 'inventory' | 'disks'> & {
  task: ScriptsTask;
  /** Base of the rack's plain HTTP, told to custom scripts. */
  rack: string;
};

/** Run a set of scripts and report each; the closing word is for the caller to send. */
export async function runScripts(input: ScriptsInput): Promise<Done> {
  const { task } = input;
  const found: { bmc: BmcReport | null } = { bmc: null };
  await rm(BMC_CONFIG_PATH, { force: true });
  const failures: string[] = [];
  let onlyLate = true;
  const runAll = async (batches: ScriptItem[][]) => {
    for (const batch of batches) {
      const statuses = await Promise.all(batch.map((item) => runOne(item, input, found)));
      batch.forEach((item, index) => {
        const status = statuses[index];
        if (status !== 'failed' && status !== 'timedout') return;
        failures.push(item.name);
        onlyLate &&= status === 'timedout';
      });
    }
  };
  const { early, late } = scriptBatches(task.scripts);
  await runAll(early);
  // The region works on it while scripts still run.
  const inventory = task.phase === 'commissioning' ? await inventoried(input) : null;
  await Promise.all([inventory === null ? null : input.client.inventory(inventory), runAll(late)]);
  const custom = await customBmc();
  return {
    outcome: failures.length === 0 ? 'ok' : 'failed',
    code: failures.length === 0 ? null : onlyLate ? 'script.timedout' : 'script.failed',
    message: failures.length === 0 ? null : `${failures.length} ${task.phase} scripts failed: ${failures.join(', ')}`,
    bmc: custom ?? found.bmc,
  };
}

async function runOne(
  item: ScriptItem,
  input: ScriptsInput,
  found: { bmc: BmcReport | null },
): Promise<ScriptOutcome['status']> {
  const { task, reporter, devices, inventory, disks } = input;
  const start = performance.now();
  reporter.report({ kind: 'script', name: item.name, state: 'started', resultId: item.resultId });
  const settings = task.bmc;
  const context: BuiltinContext = {
    item,
    devices,
    inventory,
    disks,
    configureBmc:
      settings === null
        ? null
        : async (): Promise<BmcOutcome> => {
            const outcome = await configureBmc(settings);
            if (outcome.found && outcome.report !== null) found.bmc = outcome.report;
            return outcome;
          },
  };
  const run = await carryOut(item, context, input);
  const outcome = scriptOutcome({ ...run, seconds: (performance.now() - start) / 1000 });
  reporter.say(`${item.name}: ${outcome.status}, ${outcome.seconds.toFixed(1)} s`);
  reporter.result(item.resultId, outcome);
  return outcome.status;
}

/** The inventory as a step of its own, with what custom scripts left for the region's report. */
async function inventoried({ reporter, inventory }: ScriptsInput): Promise<Inventory> {
  const start = performance.now();
  const step = { kind: 'step', name: 'inventory' } as const;
  reporter.report({ ...step, state: 'started' });
  const found = await inventory();
  const seconds = (performance.now() - start) / 1000;
  reporter.report({ ...step, state: 'finished', seconds });
  reporter.say(`inventory: ${seconds.toFixed(1)} s`);
  const [storage, machine] = [await extraFile('MAAS_STORAGE_CONFIG_FILE'), await extraFile('MAAS_MACHINE_EXTRA_FILE')];
  return { ...found, extra: { ...(storage && { storage }), ...(machine && { machine }) } };
}

/** What custom scripts wrote for the inventory's readers; empty for none. */
async function extraFile(name: 'MAAS_STORAGE_CONFIG_FILE' | 'MAAS_MACHINE_EXTRA_FILE'): Promise<string> {
  const text = await readFile(EXTRA_FILES[name], 'utf8').catch(() => '');
  return text.slice(0, EXTRA_LIMIT);
}

interface CarriedOut {
  exitStatus: number;
  timedOut: boolean;
  stdout: string;
  stderr: string;
  combined: string;
  result: string;
}

async function carryOut(item: ScriptItem, context: BuiltinContext, input: ScriptsInput): Promise<CarriedOut> {
  if (!item.builtin) {
    const serial = input.task.phase === 'commissioning' && item.parallel === 0;
    return runCustomScript(item, input.rack, serial);
  }
  const builtin = BUILTINS.get(item.name);
  if (builtin === undefined) {
    const text = `This agent has no built-in script ${item.name}.\n`;
    return { exitStatus: 2, timedOut: false, stdout: '', stderr: text, combined: text, result: '' };
  }
  const run = await withDeadline(item.timeoutSeconds, () =>
    builtin(context).catch((error: unknown) => {
      const text = `${error instanceof Error ? error.message : String(error)}\n`;
      return { exitStatus: 1, stdout: '', stderr: text, result: '' };
    }),
  );
  if (run !== null) return { ...run, timedOut: false, combined: run.stdout + run.stderr };
  const text = `Not finished after ${item.timeoutSeconds} s.\n`;
  return { exitStatus: 124, timedOut: true, stdout: '', stderr: text, combined: text, result: '' };
}

/** Null when the work took longer; 0 means no limit of its own. */
async function withDeadline<T>(seconds: number, work: () => Promise<T>): Promise<T | null> {
  if (seconds <= 0) return work();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), seconds * 1000);
  });
  try {
    return await Promise.race([work(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What a custom script wrote to BMC_CONFIG_PATH; it wins over what we found. Only IPMI is carried by the contract. */
async function customBmc(): Promise<BmcReport | null> {
  const text = await readFile(BMC_CONFIG_PATH, 'utf8').catch(() => '');
  if (text === '') return null;
  const document: unknown = parse(text, { maxAliasCount: 0 });
  if (typeof document !== 'object' || document === null) return null;
  const { power_type: powerType, ...rest }: Record<string, unknown> = { ...document };
  if (powerType !== 'ipmi') return null;
  const parameters = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, String(value)]));
  return { powerType, parameters };
}
