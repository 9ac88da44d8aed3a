import type { Inventory, ScriptItem } from '@ingot/contract/agent.ts';
import type { DiskFact } from '@ingot/core/hardware/disks.ts';
import type { BmcOutcome } from '../bmc.ts';

/** What a built-in script is given. Everything costly is collected once per boot and shared. */
export interface BuiltinContext {
  item: ScriptItem;
  /** Resolves when the drivers are loaded and udev has named the devices. */
  devices: () => Promise<void>;
  inventory: () => Promise<Inventory>;
  disks: () => Promise<DiskFact[]>;
  /** Null when the region wants the BMC left alone. */
  configureBmc: (() => Promise<BmcOutcome>) | null;
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
