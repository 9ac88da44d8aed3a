import { ImageContent, UploadFormat } from '@ingot/contract/image-upload.ts';
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import * as z from 'zod';
import type { ImageUploadsTable, Tables } from '../../store/schema.ts';

type Db = Kysely<Tables> | Transaction<Tables>;

const Failure = z.object({ code: z.string(), message: z.string(), fix: z.string() }).nullable().catch(null);
const State = z.enum(['receiving', 'checking', 'ready', 'failed']);

export interface Upload {
  id: number;
  imageId: number;
  os: string;
  release: string;
  arch: string;
  subarch: string;
  title: string;
  baseImage: string;
  keepOld: boolean;
  format: UploadFormat;
  sha256: string;
  size: number;
  received: number;
  state: z.infer<typeof State>;
  failure: { code: string; message: string; fix: string } | null;
}

export type NewUpload = Omit<Upload, 'id' | 'imageId' | 'received' | 'state' | 'failure'>;

function uploadOf(row: Selectable<ImageUploadsTable>): Upload {
  return {
    id: row.id,
    imageId: row.image_id,
    os: row.os,
    release: row.release,
    arch: row.arch,
    subarch: row.subarch,
    title: row.title,
    baseImage: row.base_image,
    keepOld: row.keep_old,
    format: UploadFormat.parse(row.format),
    sha256: row.sha256,
    size: row.size,
    received: row.received,
    state: State.parse(row.state),
    failure: Failure.parse(row.failure),
  };
}

/** The newest upload of these bytes under this name that is not spoilt; null when there is none. */
export async function sameUpload(db: Db, wanted: NewUpload): Promise<Upload | null> {
  const row = await db
    .selectFrom('image_uploads')
    .selectAll()
    .where('sha256', '=', wanted.sha256)
    .where('size', '=', wanted.size)
    .where('os', '=', wanted.os)
    .where('release', '=', wanted.release)
    .where('arch', '=', wanted.arch)
    .where('subarch', '=', wanted.subarch)
    .where('format', '=', wanted.format)
    .where((eb) =>
      eb.or([
        eb('state', 'in', ['receiving', 'checking']),
        eb.and([
          eb('state', '=', 'ready'),
          eb.exists(eb.selectFrom('images').select('images.id').whereRef('images.id', '=', 'image_uploads.image_id')),
        ]),
      ]),
    )
    .orderBy('id', 'desc')
    .executeTakeFirst();
  return row ? uploadOf(row) : null;
}

/** Stores a new upload and promises it the id of its image. */
export async function insertUpload(db: Db, upload: NewUpload): Promise<Upload> {
  const row = await db
    .insertInto('image_uploads')
    .values({
      image_id: sql<number>`nextval(pg_get_serial_sequence('images', 'id'))`,
      os: upload.os,
      release: upload.release,
      arch: upload.arch,
      subarch: upload.subarch,
      title: upload.title,
      base_image: upload.baseImage,
      keep_old: upload.keepOld,
      format: upload.format,
      sha256: upload.sha256,
      size: upload.size,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return uploadOf(row);
}

/** With `lock` the row stays ours until the transaction ends. Null when unknown. */
export async function readUpload(db: Db, id: number, lock = false): Promise<Upload | null> {
  const query = db.selectFrom('image_uploads').selectAll().where('id', '=', id);
  const row = await (lock ? query.forUpdate() : query).executeTakeFirst();
  return row ? uploadOf(row) : null;
}

/** The open upload that was promised this image's id. */
export async function openUploadOfImage(db: Db, imageId: number): Promise<Upload | null> {
  const row = await db
    .selectFrom('image_uploads')
    .selectAll()
    .where('image_id', '=', imageId)
    .where('state', 'in', ['receiving', 'checking'])
    .orderBy('id', 'desc')
    .executeTakeFirst();
  return row ? uploadOf(row) : null;
}

export async function noteReceived(db: Db, id: number, received: number): Promise<void> {
  await db
    .updateTable('image_uploads')
    .set({ received, failure: null, touched: sql<Date>`now()` })
    .where('id', '=', id)
    .execute();
}

/** A check that says nothing for so long has died with its process. */
const CHECK_ALIVE_SECONDS = 90;

/** Takes the upload for checking; false when it is not complete, or somebody else is at it. */
export async function claimCheck(db: Db, id: number): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('image_uploads')
    .set({ state: 'checking', failure: null, touched: sql<Date>`now()` })
    .where('id', '=', id)
    .whereRef('received', '=', 'size')
    .where((eb) =>
      eb.or([
        eb('state', '=', 'receiving'),
        eb.and([
          eb('state', '=', 'checking'),
          eb('touched', '<', sql<Date>`now() - make_interval(secs => ${CHECK_ALIVE_SECONDS})`),
        ]),
      ]),
    )
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

export async function noteAlive(db: Db, id: number): Promise<void> {
  await db.updateTable('image_uploads').set({ touched: sql<Date>`now()` }).where('id', '=', id).execute();
}

export async function noteState(
  db: Db,
  id: number,
  state: Upload['state'],
  failure: Upload['failure'] = null,
): Promise<void> {
  await db
    .updateTable('image_uploads')
    .set({ state, failure: failure && JSON.stringify(failure), touched: sql<Date>`now()` })
    .where('id', '=', id)
    .execute();
}

/** Uploads of which nothing was heard for a day, forgotten; and those whose image is gone. Returns the ids. */
export async function forgetOldUploads(db: Db): Promise<number[]> {
  const rows = await db
    .deleteFrom('image_uploads')
    .where('touched', '<', sql<Date>`now() - interval '24 hours'`)
    .where((eb) =>
      eb.or([
        eb('state', '<>', 'ready'),
        eb.not(
          eb.exists(eb.selectFrom('images').select('images.id').whereRef('images.id', '=', 'image_uploads.image_id')),
        ),
      ]),
    )
    .returning('id')
    .execute();
  return rows.map(({ id }) => id);
}

/** What is known of an image's content; null when it was never looked into. */
export async function contentOf(db: Db, imageId: number): Promise<ImageContent | null> {
  const row = await db.selectFrom('images').select('content').where('id', '=', imageId).executeTakeFirst();
  return row?.content ? ImageContent.parse(row.content) : null;
}
