import type { Selectable } from 'kysely';
import * as z from 'zod';
import type { ImageFilesTable, ImagesTable } from '../../store/schema.ts';
import { isoDate } from '../dates.ts';
import { API_PREFIX } from '../describe.ts';
import type { UserCall } from '../table.ts';
import type { Json } from '../wire/json.ts';

type ImageRow = Selectable<ImagesTable>;
type FileRow = Selectable<ImageFilesTable>;

/** One resource is all versions of an image; its id is that of the oldest version, which no newer one changes. */
export interface ResourceGroup {
  id: number;
  versions: ImageRow[];
}

export async function groups(call: UserCall): Promise<ResourceGroup[]> {
  const rows = await call.deps.db
    .selectFrom('images')
    .selectAll()
    .where('purpose', '=', 'deploy')
    .orderBy('id')
    .execute();
  const byKey = new Map<string, ResourceGroup>();
  for (const row of rows) {
    const key = [row.os, row.release, row.arch, row.subarch, row.label].join('\0');
    const group = byKey.get(key);
    if (group === undefined) byKey.set(key, { id: row.id, versions: [row] });
    else group.versions.push(row);
  }
  return [...byKey.values()].sort((a, b) => order(a) - order(b) || compare(nameOf(a), nameOf(b)));
}

const order = (group: ResourceGroup): number => (isUploaded(group) ? 1 : 0);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const newest = (group: ResourceGroup): ImageRow => {
  const last = [...group.versions].sort((a, b) => compare(a.version, b.version)).at(-1);
  if (last === undefined) throw new Error('a boot resource without versions');
  return last;
};

export const isUploaded = (group: ResourceGroup): boolean => newest(group).label === 'uploaded';

function nameOf(group: ResourceGroup): string {
  const image = newest(group);
  return image.os === 'custom' ? image.release : `${image.os}/${image.release}`;
}

export function resourceObject(group: ResourceGroup): { [key: string]: Json } {
  const image = newest(group);
  const deployed = group.versions
    .flatMap((row) => (row.last_deployed === null ? [] : [row.last_deployed]))
    .sort((a, b) => +a - +b)
    .at(-1);
  return {
    id: group.id,
    type: isUploaded(group) ? 'Uploaded' : 'Synced',
    name: nameOf(group),
    architecture: `${image.arch}/${image.subarch}`,
    resource_uri: `${API_PREFIX}boot-resources/${group.id}/`,
    last_deployed: deployed === undefined ? null : isoDate(deployed),
    title: image.title,
    subarches: image.subarch,
    ...(image.base_image === '' ? {} : { base_image: image.base_image }),
  };
}

/** A resource with all its versions and their files. */
export async function withSets(call: UserCall, group: ResourceGroup): Promise<{ [key: string]: Json }> {
  const files = await call.deps.db
    .selectFrom('image_files')
    .selectAll()
    .where(
      'image_id',
      'in',
      group.versions.map((row) => row.id),
    )
    .orderBy('id')
    .execute();
  const sets = group.versions.map((image): [string, Json] => [
    image.version,
    setObject(
      image,
      files.filter((file) => file.image_id === image.id),
    ),
  ]);
  return { ...resourceObject(group), sets: Object.fromEntries(sets) };
}

const Source = z.object({ filetype: z.string(), sha256: z.string(), size: z.number() });

/** A file as its uploader knows it: what is stored may be a conversion. */
function fileObject(file: FileRow): { filetype: string; sha256: string; size: number } {
  if (file.source === null) return { filetype: file.filetype, sha256: file.sha256, size: file.size };
  const source = Source.parse(file.source);
  return { ...source, filetype: maasFileType(source.filetype) };
}

function setObject(image: ImageRow, files: readonly FileRow[]): Json {
  const seen = files.map((file) => ({ ...fileObject(file), disk: file.sha256 }));
  return {
    version: image.version,
    label: image.label,
    size: seen.reduce((sum, file) => sum + file.size, 0),
    complete: true,
    files: Object.fromEntries(
      seen.map((file): [string, Json] => [
        file.filetype,
        {
          filename: file.filetype,
          filetype: file.filetype,
          sha256: file.sha256,
          filename_on_disk: file.disk,
          size: file.size,
          complete: true,
        },
      ]),
    ),
  };
}

/** File types as they are stored and shown, by our names. */
const SHOWN: Partial<Record<string, string>> = {
  tgz: 'root-tgz',
  tbz: 'root-tbz',
  txz: 'root-txz',
  'raw.tgz': 'root-dd',
  'raw.tbz': 'root-dd.tar.bz2',
  'raw.txz': 'root-dd.tar.xz',
  'raw.tar': 'root-dd.tar',
  'raw.bz2': 'root-dd.bz2',
  'raw.gz': 'root-dd.gz',
  'raw.xz': 'root-dd.xz',
  raw: 'root-dd.raw',
};

export function maasFileType(format: string): string {
  return SHOWN[format] ?? format;
}
