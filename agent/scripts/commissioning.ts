import { type Builtin, passed } from './builtin.ts';
import { documentOf } from './machine-resources.ts';

/** 50-maas-01-commissioning: the resources document with what earlier custom scripts left for storage and machine. */
export const commissioning: Builtin = async ({ facts, extraFile }) => {
  const document: Record<string, unknown> = { ...documentOf(await facts()) };
  const storage = await extraFile('MAAS_STORAGE_CONFIG_FILE');
  const machine = await extraFile('MAAS_MACHINE_EXTRA_FILE');
  if (storage !== '') document['storage-extra'] = JSON.parse(storage);
  if (machine !== '') document['machine-extra'] = JSON.parse(machine);
  return passed(`${JSON.stringify(document)}\n`);
};
