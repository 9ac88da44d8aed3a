import { stat } from 'node:fs/promises';
import { ImageContent } from '@ingot/contract/image-upload.ts';
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
  /** Null: built here, or registered by its files. */
  content: ImageContent | null;
  /** Machines that are deploying or run it. Always 0 for ephemeral images. */
  inUse: number;
}

/** A file to take in: by path (moved into the store) or by the sum of a blob that is there already. */
export type NewImageFile = { filetype: string; source?: ImageFile } & ({ path: string } | { sha256: string });

export interface NewImage {
  /** Promised before; else the next one. */
  id?: number;
  content?: ImageContent;
  /** os/series that it was made from, as its uploader said. */
  baseImage?: string;
  subarch?: string;
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
  deploy: [['root-tar.zst', 'root-tgz', 'squashfs', 'root-raw.zst']],
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
      .values({
        ...(image.id === undefined ? {} : { id: image.id }),
        ...{ purpose, os, release, arch, version, title },
        subarch: image.subarch ?? 'generic',
        label: image.label ?? 'stable',
        base_image: image.baseImage ?? '',
        content: image.content === undefined ? null : JSON.stringify(image.content),
      })
      .onConflict((conflict) =>
        conflict
          .columns(['purpose', 'os', 'release', 'arch', 'subarch', 'label', 'version'])
          .doUpdateSet((eb) => ({ title, created: sql<Date>`now()`, content: eb.ref('excluded.content') })),
      )
      .returning('id')
      .executeTakeFirstOrThrow();
    await trx.deleteFrom('image_files').where('image_id', '=', row.id).execute();
    await trx
      .insertInto('image_files')
      .values(
        files.map((file, index) => {
          const source = image.files[index]?.source;
          return { ...file, image_id: row.id, source: source === undefined ? null : JSON.stringify(source) };
        }),
      )
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

/** Machines that are at work in an ephemeral system now, or rescued by one; they may boot it again. */
async function bootingFrom(db: Db, { arch }: Pick<Selectable<ImagesTable>, 'arch'>): Promise<number> {
  const { n } = await db
    .selectFrom('machines as m')
    .leftJoin('attempts as a', 'a.id', 'm.attempt_id')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('m.boot_target', '=', 'ephemeral')
    .where((eb) =>
      eb.or([eb.and([eb('a.id', 'is not', null), eb('a.ended', 'is', null)]), eb('m.status', '=', 'RESCUE_MODE')]),
    )
    .where(sql<boolean>`m.architecture = '' OR split_part(m.architecture, '/', 1) = ${arch}`)
    .executeTakeFirstOrThrow();
  return Number(n);
}

async function users(
  db: Db,
  image: Pick<Selectable<ImagesTable>, 'purpose' | 'os' | 'release' | 'arch'>,
): Promise<number> {
  if (image.purpose !== 'deploy') return bootingFrom(db, image);
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
      content: row.content === null ? null : ImageContent.parse(row.content),
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

const FORMATS = {
  'root-tar.zst': 'tar.zst',
  'root-tgz': 'tgz',
  squashfs: 'squashfs',
  'root-raw.zst': 'raw.zst',
} as const;
type RootType = keyof typeof FORMATS;
const isRoot = (filetype: string): filetype is RootType => Object.hasOwn(FORMATS, filetype);

export interface DeployImage {
  sha256: string;
  size: number;
  format: (typeof FORMATS)[RootType];
  /** Null: built here. */
  content: ImageContent | null;
}

/** The newest root image of an os and release for a Debian architecture name, e.g. amd64. Null when there is none. */
export async function deployImage(
  db: Db,
  wanted: { os: string; release: string; arch: string },
): Promise<DeployImage | null> {
  const image = await db
    .selectFrom('images')
    .select(['id', 'content'])
    .where('purpose', '=', 'deploy')
    .where('os', '=', wanted.os)
    .where('release', '=', wanted.release)
    .where('arch', '=', wanted.arch)
    .orderBy('created', 'desc')
    .orderBy('id', 'desc')
    .executeTakeFirst();
  const file = image ? await fileOf(db, image.id, Object.keys(FORMATS)) : null;
  if (!image || !file || !isRoot(file.filetype)) return null;
  const content = image.content === null ? null : ImageContent.parse(image.content);
  return { sha256: file.sha256, size: file.size, format: FORMATS[file.filetype], content };
}

interface UploadIdentity {
  os: string;
  release: string;
  arch: string;
  subarch: string;
}

/** YYYYMMDD, with .1, .2 … for a second upload on the same day. */
export async function uploadVersion(db: Db, image: UploadIdentity, now: Date): Promise<string> {
  const day = now.toISOString().slice(0, 10).replaceAll('-', '');
  const taken = new Set((await versionsOf(db, image)).map(({ version }) => version));
  for (let n = 0; ; n += 1) {
    const version = n === 0 ? day : `${day}.${n}`;
    // Ends: there are finitely many rows.
    if (!taken.has(version)) return version;
  }
}

function versionsOf(db: Db, { os, release, arch, subarch }: UploadIdentity) {
  return db
    .selectFrom('images')
    .select(['id', 'version'])
    .where('purpose', '=', 'deploy')
    .where('label', '=', 'uploaded')
    .where('os', '=', os)
    .where('release', '=', release)
    .where('arch', '=', arch)
    .where('subarch', '=', subarch)
    .execute();
}

/** Earlier uploads of the same image go, unless a machine is being written from one right now. Returns how many went. */
export async function deleteOlderUploads(
  deps: Pick<RegionDeps, 'db' | 'changes'>,
  image: UploadIdentity,
  kept: number,
): Promise<number> {
  const old = (await versionsOf(deps.db, image)).map(({ id }) => id).filter((id) => id !== kept);
  if (old.length === 0) return 0;
  const gone = await deps.db
    .deleteFrom('images')
    .where('id', 'in', old)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('machines')
            .select('machines.id')
            .where('status', '=', 'DEPLOYING')
            .where('osystem', '=', image.os)
            .where('distro_series', '=', image.release),
        ),
      ),
    )
    .returning('id')
    .execute();
  if (gone.length === 0) return 0;
  await deps.db
    .insertInto('changes')
    .values(gone.map(({ id }) => ({ kind: 'image', key: String(id) })))
    .execute();
  deps.changes.announce();
  return gone.length;
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
