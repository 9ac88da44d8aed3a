import type { ScriptItem } from '@ingot/contract/agent.ts';

/** 0 alone, 1 only beside other instances of itself, 2 beside anything. */
const SERIAL = 0;
const INSTANCE = 1;
const BMC_SCRIPT = '30-maas-01-bmc-config';
const LLDP_SCRIPT = 'maas-capture-lldpd';

/**
 * Batches to run one after the other; the scripts of a batch run at the same time. CPU, memory, storage, network, GPU, then
 * the rest, each by name; serial scripts first, then groups of instances, then all that may run beside anything.
 *
 * Two exceptions. The BMC's password is changed after everything else, directly before the region learns it: a machine whose
 * attempt is aborted in between must still be switched off with the old one. What LLDP heard is read when most time has passed.
 */
export function scriptBatches(scripts: ScriptItem[]): ScriptItem[][] {
  const ordered = [...scripts].sort(
    (a, b) =>
      hardwareRank(a) - hardwareRank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : a.resultId - b.resultId),
  );
  const late = (script: ScriptItem) => script.builtin && (script.name === BMC_SCRIPT || script.name === LLDP_SCRIPT);
  const early = ordered.filter((script) => !late(script));
  const batches = early.filter((script) => script.parallel === SERIAL).map((script) => [script]);
  const instances = new Map<string, ScriptItem[]>();
  for (const script of early.filter(({ parallel }) => parallel === INSTANCE)) {
    instances.set(script.name, [...(instances.get(script.name) ?? []), script]);
  }
  batches.push(...instances.values());
  const free = early.filter(({ parallel }) => parallel !== SERIAL && parallel !== INSTANCE);
  if (free.length > 0) batches.push(free);
  for (const name of [LLDP_SCRIPT, BMC_SCRIPT]) {
    const found = ordered.filter((script) => late(script) && script.name === name);
    if (found.length > 0) batches.push(found);
  }
  return batches;
}

function hardwareRank(script: ScriptItem): number {
  return script.hardwareType === 0 ? 99 : script.hardwareType;
}
