import { rm } from 'node:fs/promises';
import type { RegionDeps } from '../../deps.ts';
import { Problem } from '../../store/problem.ts';
import { sumOf } from '../blobs.ts';
import { deleteOlderUploads, registerImage, uploadVersion } from '../catalogue.ts';
import { dropBytes, uploadFile, uploadOfId } from './receive.ts';
import { isFull, noSpace, UPLOAD_LIMITS, type UploadLimits } from './room.ts';
import { takeIn } from './take-in.ts';
import { claimCheck, noteAlive, noteState, type Upload } from './upload-rows.ts';

type Deps = Pick<RegionDeps, 'db' | 'blobs' | 'changes' | 'stateDir' | 'log'>;

const ALIVE_MS = 20_000;

/**
 * Checks a complete upload against its sum, looks into it, converts it where needed and lists it as an image. May be called
 * again at any time: whoever finds it being checked, ready or incomplete just gets its state. Want of room leaves it as it was.
 */
export async function finishUpload(deps: Deps, id: number, limits: UploadLimits = UPLOAD_LIMITS): Promise<Upload> {
  if (!(await claimCheck(deps.db, id))) return uploadOfId(deps, id);
  const alive = setInterval(() => {
    noteAlive(deps.db, id).catch((error: unknown) =>
      deps.log.warn({ err: error, upload: id }, 'upload: not marked alive'),
    );
  }, ALIVE_MS);
  const file = uploadFile(deps.stateDir, id);
  const work = `${file}.work`;
  try {
    await checkAndRegister(deps, await uploadOfId(deps, id), file, work, limits);
    await noteState(deps.db, id, 'ready');
  } catch (error) {
    const problem = isFull(error) ? noSpace(file, 'the disk was full while the image was stored') : error;
    if (!(problem instanceof Problem)) {
      await noteState(deps.db, id, 'receiving');
      throw error;
    }
    const { code, message, fix } = problem;
    const retry = code === 'image.no_space';
    await noteState(deps.db, id, retry ? 'receiving' : 'failed', { code, message, fix });
    if (!retry) await dropBytes(deps.stateDir, id);
  } finally {
    clearInterval(alive);
    await rm(work, { recursive: true, force: true });
  }
  return uploadOfId(deps, id);
}

async function checkAndRegister(
  deps: Deps,
  upload: Upload,
  file: string,
  work: string,
  limits: UploadLimits,
): Promise<void> {
  const { sha256, size } = await sumOf(file);
  if (sha256 !== upload.sha256 || size !== upload.size) {
    throw new Problem('image.sum_mismatch', { sum: sha256, sha256: upload.sha256 });
  }
  const taken = await takeIn(upload, file, work, limits);
  const identity = { os: upload.os, release: upload.release, arch: upload.arch, subarch: upload.subarch };
  const imageId = await registerImage(deps, {
    ...identity,
    id: upload.imageId,
    purpose: 'deploy',
    label: 'uploaded',
    version: await uploadVersion(deps.db, identity, new Date()),
    title: upload.title,
    baseImage: upload.baseImage,
    content: taken.content,
    files: [
      {
        filetype: taken.filetype,
        path: taken.file,
        source: { filetype: upload.format, sha256: upload.sha256, size: upload.size },
      },
    ],
  });
  if (!upload.keepOld) await deleteOlderUploads(deps, identity, imageId);
  await dropBytes(deps.stateDir, upload.id);
}
