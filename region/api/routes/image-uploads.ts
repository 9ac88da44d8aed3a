import { setTimeout as sleep } from 'node:timers/promises';
import { UPLOAD_CHUNK, UploadRequest, UploadView } from '@ingot/contract/image-upload.ts';
import * as z from 'zod';
import type { RegionDeps } from '../../deps.ts';
import { imageName } from '../../images/image-name.ts';
import { finishUpload } from '../../images/upload/finish.ts';
import { uploadFormat } from '../../images/upload/formats.ts';
import { beginUpload, putChunk, uploadOfId } from '../../images/upload/receive.ts';
import { contentOf, type Upload } from '../../images/upload/upload-rows.ts';
import { bytesOf, type Route, route } from '../route.ts';

const ById = z.object({
  id: z.coerce
    .number()
    .int()
    .min(1)
    .max(2 ** 31 - 1),
});
/** A small image is done by then; of a larger one the state is asked. */
const FINISH_WAIT_MS = 2000;

export function imageUploadRoutes(): Route[] {
  return [
    route(
      {
        method: 'POST',
        path: '/images/uploads',
        operation: 'beginImageUpload',
        summary: 'Begin to upload an image, or find the upload of the same bytes: `received` says where to go on',
        access: 'admin',
        body: UploadRequest,
        answer: UploadView,
      },
      async ({ deps, body }) => {
        const name = imageName(body.name);
        const { arch, title, sha256, size } = body;
        const kept = { subarch: 'generic', baseImage: '', keepOld: false };
        const wanted = { ...name, ...kept, arch, title, sha256, size, format: uploadFormat(body.format) };
        return viewOf(deps, await beginUpload(deps, wanted));
      },
    ),
    route(
      {
        method: 'GET',
        path: '/images/uploads/:id',
        operation: 'readImageUpload',
        summary: 'Where an upload stands',
        access: 'admin',
        params: ById,
        answer: UploadView,
      },
      async ({ deps, params }) => viewOf(deps, await uploadOfId(deps, params.id)),
    ),
    route(
      {
        method: 'PUT',
        path: '/images/uploads/:id',
        operation: 'putImageChunk',
        summary: 'The next bytes, at most 4 MiB, from `offset`; bytes that are there already are taken again',
        access: 'admin',
        params: ById,
        query: z.strictObject({ offset: z.coerce.number().int().min(0) }),
        takesBytes: true,
        bodyLimit: UPLOAD_CHUNK,
        answer: UploadView,
      },
      async ({ deps, params, query, request }) =>
        viewOf(deps, await putChunk(deps, params.id, query.offset, bytesOf(request))),
    ),
    route(
      {
        method: 'POST',
        path: '/images/uploads/:id/finish',
        operation: 'finishImageUpload',
        summary: 'Check a complete upload and list it as an image; answers "checking" while that lasts',
        access: 'admin',
        params: ById,
        answer: UploadView,
      },
      async ({ deps, params }) => {
        await uploadOfId(deps, params.id);
        const finishing = finishUpload(deps, params.id);
        finishing.catch((error: unknown) => deps.log.error({ err: error, upload: params.id }, 'upload not finished'));
        const early = sleep(FINISH_WAIT_MS, undefined, { ref: false }).then(() => uploadOfId(deps, params.id));
        return viewOf(deps, await Promise.race([finishing, early]));
      },
    ),
  ];
}

async function viewOf(deps: RegionDeps, upload: Upload): Promise<UploadView> {
  const ready = upload.state === 'ready';
  return {
    id: upload.id,
    name: `${upload.os}/${upload.release}`,
    state: upload.state,
    received: upload.received,
    size: upload.size,
    imageId: ready ? upload.imageId : null,
    failure: upload.failure,
    content: ready ? await contentOf(deps.db, upload.imageId) : null,
  };
}
