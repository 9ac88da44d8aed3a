import { arch, release } from 'node:os';
import type { HardwareFacts } from '@ingot/core/hardware/facts.ts';
import { resourcesDocument } from '@ingot/core/hardware/resources.ts';
import { type Builtin, passed } from './builtin.ts';

/** 20-maas-03-machine-resources: the resources document. */
export const machineResources: Builtin = async ({ facts }) => passed(`${JSON.stringify(documentOf(await facts()))}\n`);

/** Processor and kernel names are Linux's (`uname -m`, `uname -r`). */
export function documentOf(facts: HardwareFacts): object {
  const machine = arch() === 'x64' ? 'x86_64' : arch() === 'arm64' ? 'aarch64' : arch();
  return resourcesDocument(facts, machine, release());
}
