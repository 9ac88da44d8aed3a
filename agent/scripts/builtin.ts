import type { Inventory, ScriptItem } from '@ingot/contract/agent.ts';
import type { HardwareFacts } from '@ingot/core/hardware/facts.ts';
import type { BmcOutcome } from '../bmc.ts';

/** What a built-in script is given. Everything costly is collected once per boot and shared. */
export interface BuiltinContext {
  item: ScriptItem;
  inventory: () => Promise<Inventory>;
  facts: () => Promise<HardwareFacts>;
  /** Null when the region wants the BMC left alone. */
  configureBmc: (() => Promise<BmcOutcome>) | null;
  /** What custom scripts of this phase wrote, by name of the variable that told them the path. */
  extraFile: (name: 'MAAS_STORAGE_CONFIG_FILE' | 'MAAS_MACHINE_EXTRA_FILE') => Promise<string>;
}

export interface BuiltinRun {
  exitStatus: number;
  stdout: string;
  stderr: string;
  /** YAML, as a script would write to RESULT_PATH; empty for none. */
  result: string;
}

export type Builtin = (context: BuiltinContext) => Promise<BuiltinRun>;

export function passed(stdout: string): BuiltinRun {
  return { exitStatus: 0, stdout, stderr: '', result: '' };
}

export function skipped(stdout: string): BuiltinRun {
  return { exitStatus: 0, stdout, stderr: '', result: '{status: skipped}\n' };
}

export function failed(exitStatus: number, stdout: string, stderr: string): BuiltinRun {
  return { exitStatus, stdout, stderr, result: '' };
}
