import type { Selectable } from 'kysely';
import type { ImageFilesTable, ImagesTable } from '../../store/schema.ts';
import { isoDate } from '../dates.ts';
import { API_PREFIX } from '../describe.ts';
import { crud, json, named, parameter, type Reply, type Resource, type UserCall } from '../table.ts';
import { badRequest, noMatch } from '../wire/errors.ts';
import type { Json } from '../wire/json.ts';
import { textOf } from '../wire/values.ts';

type ImageRow = Selectable<ImagesTable>;
type FileRow = Selectable<ImageFilesTable>;

/** One resource is all versions of an image; its id is that of the oldest version, which no newer one changes. */
interface ResourceGroup {
  id: number;
  versions: ImageRow[];
}

async function groups(call: UserCall): Promise<ResourceGroup[]> {
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

const isUploaded = (group: ResourceGroup): boolean => newest(group).label === 'uploaded';

function nameOf(group: ResourceGroup): string {
  const image = newest(group);
  return image.os === 'custom' ? image.release : `${image.os}/${image.release}`;
}

function resourceObject(group: ResourceGroup): { [key: string]: Json } {
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
  };
}

async function list(call: UserCall): Promise<Reply> {
  const type = textOf(call.query, 'type') ?? 'all';
  if (!['all', 'synced', 'uploaded'].includes(type)) throw badRequest(`'${type}' is not a valid boot resource type.`);
  const wanted = (await groups(call)).filter((group) => type === 'all' || isUploaded(group) === (type === 'uploaded'));
  return json(wanted.map(resourceObject));
}

async function read(call: UserCall): Promise<Reply> {
  const id = Number(call.path.id);
  const group = (await groups(call)).find((candidate) => candidate.id === id);
  if (group === undefined) throw noMatch('BootResource');
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
  return json({ ...resourceObject(group), sets: Object.fromEntries(sets) });
}

function setObject(image: ImageRow, files: readonly FileRow[]): Json {
  return {
    version: image.version,
    label: image.label,
    size: files.reduce((sum, file) => sum + file.size, 0),
    complete: true,
    files: Object.fromEntries(
      files.map((file): [string, Json] => [
        file.filetype,
        {
          filename: file.filetype,
          filetype: file.filetype,
          sha256: file.sha256,
          filename_on_disk: file.sha256,
          size: file.size,
          complete: true,
        },
      ]),
    ),
  };
}

export const bootResourceRoutes: readonly Resource[] = [
  {
    paths: ['boot-resources/'],
    anon: null,
    auth: {
      name: 'BootResourcesHandler',
      doc: 'Images.',
      operations: [
        crud(
          'GET',
          'user',
          { title: 'List images', parameters: [parameter('type', 'all, synced or uploaded.')] },
          list,
        ),
        // Images are built on the server, never imported by a process of this API.
        named('GET', 'is_importing', 'user', { title: 'Is an import running?' }, async () => json(false)),
      ],
    },
  },
  {
    paths: ['boot-resources/{id}/'],
    anon: null,
    auth: {
      name: 'BootResourceHandler',
      doc: 'One image.',
      operations: [crud('GET', 'user', { title: 'Read an image with its versions' }, read)],
    },
  },
];
