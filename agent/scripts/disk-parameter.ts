import { existsSync } from 'node:fs';
import type { BuiltinContext } from './builtin.ts';

/**
 * Path of the disk a storage test is for. The parameter `storage` is a path, a name or serial, or `{value: {…}}` with any of
 * id_path, path, name, serial; without it the first disk. Null when that disk is not in this machine.
 */
export async function chosenDisk(context: BuiltinContext): Promise<string | null> {
  const disks = await context.disks();
  const wanted = wantedNames(context.item.parameters.storage);
  if (wanted.length === 0) return disks[0] === undefined ? null : `/dev/${disks[0].name}`;
  for (const name of wanted) {
    const found = disks.find((disk) => [disk.name, disk.serial, disk.idPath, `/dev/${disk.name}`].includes(name));
    if (found !== undefined) return `/dev/${found.name}`;
    if (name.startsWith('/dev/') && existsSync(name)) return name;
  }
  return null;
}

function wantedNames(parameter: unknown): string[] {
  const outer: unknown = typeof parameter === 'object' && parameter !== null ? Object(parameter).value : parameter;
  if (typeof outer === 'string') return outer === 'all' || outer === '' ? [] : [outer];
  if (typeof outer !== 'object' || outer === null) return [];
  return ['id_path', 'path', 'name', 'serial'].flatMap((key) => {
    const value: unknown = Reflect.get(outer, key);
    return typeof value === 'string' && value !== '' ? [value] : [];
  });
}
