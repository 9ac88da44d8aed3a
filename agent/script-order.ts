import type { ScriptItem } from '@ingot/contract/agent.ts';

/** 0 alone, 1 only beside other instances of itself, 2 beside anything. */
const SERIAL = 0;
const INSTANCE = 1;
const BMC_SCRIPT = '30-maas-01-bmc-config';
const LLDP_SCRIPT = 'maas-capture-lldpd';
/** Serial scripts before this name may still change what the inventory finds: a RAID that is set up, a driver that is loaded. */
const INVENTORY = '50-maas-01-commissioning';

export interface Batches {
  /** Before the inventory is taken. */
  early: ScriptItem[][];
  late: ScriptItem[][];
}

/**
 * Batches to run one after the other; the scripts of a batch run at the same time. CPU, memory, storage, network, GPU, then
 * the rest, each by name; serial scripts first, then groups of instances, then all that may run beside anything.
 *
 * Two exceptions. The BMC's password is changed after everything else, directly before the region learns it: a machine whose
 * attempt is aborted in between must still be switched off with the old one. What LLDP heard is read when most time has passed.
 */
export function scriptBatches(scripts: ScriptItem[]): Batches {
  const ordered = [...scripts].sort(
    (a, b) =>
      hardwareRank(a) - hardwareRank(b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : a.resultId - b.resultId),
  );
  const last = (script: ScriptItem) => script.builtin && (script.name === BMC_SCRIPT || script.name === LLDP_SCRIPT);
  const usual = ordered.filter((script) => !last(script));
  const serial = usual.filter((script) => script.parallel === SERIAL);
  const early = serial.filter(({ name }) => name < INVENTORY).map((script) => [script]);
  const late = serial.filter(({ name }) => name >= INVENTORY).map((script) => [script]);
  const instances = new Map<string, ScriptItem[]>();
  for (const script of usual.filter(({ parallel }) => parallel === INSTANCE)) {
    instances.set(script.name, [...(instances.get(script.name) ?? []), script]);
  }
  late.push(...instances.values());
  const free = usual.filter(({ parallel }) => parallel !== SERIAL && parallel !== INSTANCE);
  if (free.length > 0) late.push(free);
  for (const name of [LLDP_SCRIPT, BMC_SCRIPT]) {
    const found = ordered.filter((script) => last(script) && script.name === name);
    if (found.length > 0) late.push(found);
  }
  return { early, late };
}

function hardwareRank(script: ScriptItem): number {
  return script.hardwareType === 0 ? 99 : script.hardwareType;
}
