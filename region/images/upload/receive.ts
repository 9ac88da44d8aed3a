import { constants } from 'node:fs';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RegionDeps } from '../../deps.ts';
import { NotFound } from '../../store/not-found.ts';
import { Problem } from '../../store/problem.ts';
import { isFull, needRoom, noSpace, UPLOAD_LIMITS, type UploadLimits } from './room.ts';
import { insertUpload, type NewUpload, noteReceived, readUpload, sameUpload, type Upload } from './upload-rows.ts';

type Deps = Pick<RegionDeps, 'db' | 'stateDir'>;

/** Where the bytes of an upload are collected. */
export function uploadFile(stateDir: string, id: number): string {
  return join(stateDir, 'blobs', 'uploads', String(id));
}

/**
 * Begins an upload, or gives the one of the same bytes and name that is open or done already: its `received` says where to go
 * on. Throws Problem: too large, or no room for it.
 */
export async function beginUpload(
  deps: Deps,
  wanted: NewUpload,
  limits: UploadLimits = UPLOAD_LIMITS,
): Promise<Upload> {
  if (wanted.size > limits.largest) {
    throw new Problem('image.too_large', { size: wanted.size, limit: limits.largest }, { field: 'size' });
  }
  const before = await sameUpload(deps.db, wanted);
  if (before !== null) return before;
  const directory = dirname(uploadFile(deps.stateDir, 0));
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await needRoom(directory, wanted.size, limits);
  return insertUpload(deps.db, wanted);
}

/** Throws NotFound. */
export async function uploadOfId(deps: Pick<Deps, 'db'>, id: number): Promise<Upload> {
  const upload = await readUpload(deps.db, id);
  if (upload === null) throw new NotFound('upload', String(id));
  return upload;
}

/**
 * Writes a chunk; `offset` null means "where it stands". A chunk that is there already, because its answer was lost, is taken as
 * well: the sum over everything decides in the end. Bytes are on the disk before the row says so. Throws NotFound, Problem.
 */
export async function putChunk(
  deps: Deps,
  id: number,
  offset: number | null,
  bytes: Buffer,
  limits: UploadLimits = UPLOAD_LIMITS,
): Promise<Upload> {
  const file = uploadFile(deps.stateDir, id);
  return deps.db.transaction().execute(async (trx) => {
    const upload = await readUpload(trx, id, true);
    if (upload === null) throw new NotFound('upload', String(id));
    if (upload.state !== 'receiving') throw new Problem('image.upload_not_open', { state: upload.state });
    // A file that is shorter than the row (restored from elsewhere) is the truth.
    const stands = Math.min(upload.received, await sizeOf(file));
    const at = offset ?? stands;
    if (at + bytes.length > upload.size) throw new Problem('image.too_much_data', { size: upload.size });
    if (at + bytes.length <= stands && bytes.length > 0) return upload;
    if (at !== stands) throw new Problem('image.wrong_offset', { received: stands, offset: at });
    await needRoom(dirname(file), bytes.length, limits);
    await write(file, at, bytes);
    await noteReceived(trx, id, at + bytes.length);
    return { ...upload, received: at + bytes.length, failure: null };
  });
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.size ?? 0;
}

async function write(file: string, offset: number, bytes: Buffer): Promise<void> {
  try {
    const handle = await open(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      for (let done = 0; done < bytes.length; ) {
        done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (isFull(error)) throw noSpace(dirname(file), 'the disk was full while the chunk was written');
    throw error;
  }
}

/** Removes an upload's bytes; its row stays for whoever asks what became of it. */
export async function dropBytes(stateDir: string, id: number): Promise<void> {
  await rm(uploadFile(stateDir, id), { force: true });
}
