import { stat } from 'node:fs/promises';
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { NotFound } from '../store/not-found.ts';
import { Problem } from '../store/problem.ts';
import type { ImagesTable, Tables } from '../store/schema.ts';

type Db = Kysely<Tables> | Transaction<Tables>;

export interface ImageFile {
  filetype: string;
  sha256: string;
  size: number;
}

export interface CatalogueImage {
  id: number;
  purpose: 'ephemeral' | 'deploy';
  os: string;
  release: string;
  arch: string;
  label: string;
  version: string;
  title: string;
  created: Date;
  lastDeployed: Date | null;
  files: ImageFile[];
  /** Machines that are deploying or run it. Always 0 for ephemeral images. */
  inUse: number;
}

/** A file to take in: by path (moved into the store) or by the sum of a blob that is there already. */
export type NewImageFile = { filetype: string } & ({ path: string } | { sha256: string });

export interface NewImage {
  purpose: 'ephemeral' | 'deploy';
  os: string;
  release: string;
  arch: string;
  label?: string;
  version: string;
  title: string;
  files: NewImageFile[];
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;
const NEEDED = {
  ephemeral: [['boot-kernel'], ['boot-initrd'], ['squashfs']],
  deploy: [['root-tar.zst', 'root-tgz']],
} as const;

function checkImage(image: NewImage): void {
  for (const field of ['os', 'release', 'arch', 'version'] as const) {
    if (NAME.test(image[field])) continue;
    throw new Problem('image.bad_name', { field, value: JSON.stringify(image[field].slice(0, 80)) }, { field });
  }
  for (const alternatives of NEEDED[image.purpose]) {
    if (image.files.some(({ filetype }) => alternatives.some((one) => one === filetype))) continue;
    const params = { purpose: image.purpose, types: alternatives.join(' or ') };
    throw new Problem('image.file_missing', params, { field: 'files' });
  }
}

async function storedFile(deps: Pick<RegionDeps, 'blobs'>, file: NewImageFile): Promise<ImageFile> {
  if ('path' in file) return { filetype: file.filetype, ...(await deps.blobs.adopt(file.path)) };
  const size = (await deps.blobs.has(file.sha256)) ? (await stat(deps.blobs.path(file.sha256))).size : null;
  if (size === null) {
    throw new Problem('image.blob_missing', { sha256: file.sha256.slice(0, 64) }, { field: 'files' });
  }
  return { filetype: file.filetype, sha256: file.sha256, size };
}

/** Takes finished files into the store and lists them as an image; the same identity again replaces its files. */
export async function registerImage(
  deps: Pick<RegionDeps, 'db' | 'blobs' | 'changes'>,
  image: NewImage,
): Promise<number> {
  checkImage(image);
  const files: ImageFile[] = [];
  for (const file of image.files) files.push(await storedFile(deps, file));
  const id = await deps.db.transaction().execute(async (trx) => {
    const { purpose, os, release, arch, version, title } = image;
    const row = await trx
      .insertInto('images')
      .values({ purpose, os, release, arch, label: image.label ?? 'stable', version, title })
      .onConflict((conflict) =>
        conflict
          .columns(['purpose', 'os', 'release', 'arch', 'subarch', 'label', 'version'])
          .doUpdateSet({ title, created: sql<Date>`now()` }),
      )
      .returning('id')
      .executeTakeFirstOrThrow();
    await trx.deleteFrom('image_files').where('image_id', '=', row.id).execute();
    await trx
      .insertInto('image_files')
      .values(files.map((file) => ({ ...file, image_id: row.id })))
      .execute();
    await trx
      .insertInto('changes')
      .values({ kind: 'image', key: String(row.id) })
      .execute();
    return row.id;
  });
  deps.changes.announce();
  return id;
}

/** Statuses in which a machine runs, or is about to run, the image that its row names. */
const USING = ['DEPLOYING', 'DEPLOYED', 'RESCUE_MODE', 'ENTERING_RESCUE_MODE', 'EXITING_RESCUE_MODE', 'TESTING'];

async function users(
  db: Db,
  image: Pick<Selectable<ImagesTable>, 'purpose' | 'os' | 'release' | 'arch'>,
): Promise<number> {
  if (image.purpose !== 'deploy') return 0;
  const { n } = await db
    .selectFrom('machines')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('status', 'in', USING)
    .where('osystem', '=', image.os)
    .where('distro_series', '=', image.release)
    .where(sql<string>`split_part(architecture, '/', 1)`, '=', image.arch)
    .executeTakeFirstOrThrow();
  return Number(n);
}

/** All images, newest first. */
export async function listImages(db: Db): Promise<CatalogueImage[]> {
  const images = await db.selectFrom('images').selectAll().orderBy('created', 'desc').orderBy('id', 'desc').execute();
  const files = await db.selectFrom('image_files').selectAll().orderBy('id').execute();
  return Promise.all(
    images.map(async (row) => ({
      id: row.id,
      purpose: row.purpose === 'ephemeral' ? 'ephemeral' : 'deploy',
      os: row.os,
      release: row.release,
      arch: row.arch,
      label: row.label,
      version: row.version,
      title: row.title,
      created: row.created,
      lastDeployed: row.last_deployed,
      files: files
        .filter(({ image_id }) => image_id === row.id)
        .map(({ filetype, sha256, size }) => ({ filetype, sha256, size })),
      inUse: await users(db, row),
    })),
  );
}

/** Takes an image off the list; its blobs go when nothing else names them. Throws NotFound, or Problem while in use. */
export async function deleteImage(deps: Pick<RegionDeps, 'db' | 'blobs' | 'changes'>, id: number): Promise<void> {
  await deps.db.transaction().execute(async (trx) => {
    const image = await trx.selectFrom('images').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
    if (!image) throw new NotFound('image', String(id));
    const inUse = await users(trx, image);
    if (inUse > 0) {
      throw new Problem('image.in_use', { count: inUse, image: `${image.os}/${image.release}` });
    }
    await trx.deleteFrom('images').where('id', '=', id).execute();
    await trx
      .insertInto('changes')
      .values({ kind: 'image', key: String(id) })
      .execute();
  });
  deps.changes.announce();
}

async function fileOf(db: Db, imageId: number, filetypes: readonly string[]): Promise<ImageFile | null> {
  const row = await db
    .selectFrom('image_files')
    .select(['filetype', 'sha256', 'size'])
    .where('image_id', '=', imageId)
    .where('filetype', 'in', [...filetypes])
    .orderBy('filetype', 'desc')
    .executeTakeFirst();
  return row ?? null;
}

export interface DeployImage {
  sha256: string;
  size: number;
  format: 'tar.zst' | 'tgz';
}

/** The newest root image of an os and release for a Debian architecture name, e.g. amd64. Null when there is none. */
export async function deployImage(
  db: Db,
  wanted: { os: string; release: string; arch: string },
): Promise<DeployImage | null> {
  const image = await db
    .selectFrom('images')
    .select('id')
    .where('purpose', '=', 'deploy')
    .where('os', '=', wanted.os)
    .where('release', '=', wanted.release)
    .where('arch', '=', wanted.arch)
    .orderBy('created', 'desc')
    .orderBy('id', 'desc')
    .executeTakeFirst();
  const file = image ? await fileOf(db, image.id, ['root-tar.zst', 'root-tgz']) : null;
  if (!file) return null;
  return { sha256: file.sha256, size: file.size, format: file.filetype === 'root-tgz' ? 'tgz' : 'tar.zst' };
}

/** Finds the image that a deployment names: "debian/bookworm", "bookworm", or "debian" for its newest. */
export async function findDeployImage(
  db: Db,
  name: string,
  arch: string,
): Promise<{ os: string; release: string } | null> {
  const [first = '', second] = name.split('/', 2);
  let query = db
    .selectFrom('images')
    .select(['os', 'release'])
    .where('purpose', '=', 'deploy')
    .where('arch', '=', arch);
  query =
    second === undefined
      ? query.where((eb) => eb.or([eb('release', '=', first), eb('os', '=', first)]))
      : query.where('os', '=', first).where('release', '=', second);
  // A release name says more than an OS name, so it goes first.
  const row = await query
    .orderBy(sql`release = ${second ?? first}`, 'desc')
    .orderBy('created', 'desc')
    .orderBy('id', 'desc')
    .executeTakeFirst();
  return row ?? null;
}

/** Remembers that an image was deployed now. */
export async function noteDeployed(db: Db, wanted: { os: string; release: string; arch: string }): Promise<void> {
  await db
    .updateTable('images')
    .set({ last_deployed: sql<Date>`now()` })
    .where('purpose', '=', 'deploy')
    .where('os', '=', wanted.os)
    .where('release', '=', wanted.release)
    .where('arch', '=', wanted.arch)
    .execute();
}

/** Sums that some image names; every other blob is garbage. */
export async function namedBlobs(db: Db): Promise<Set<string>> {
  const rows = await db.selectFrom('image_files').select('sha256').distinct().execute();
  return new Set(rows.map(({ sha256 }) => sha256));
}
