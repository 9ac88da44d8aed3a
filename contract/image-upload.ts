import * as z from 'zod';

/** What an image holds; `core/plan/image-content.ts` says what the words mean. Kept with the image as JSON. */
export const ImageContent = z.object({
  shape: z.enum(['tree', 'disk']),
  system: z.string().nullable(),
  kernels: z.array(z.string()).nullable(),
  initrdMaker: z.boolean().nullable(),
  cloudInit: z.boolean().nullable(),
  boots: z.object({ bios: z.boolean().nullable(), uefi: z.boolean().nullable() }),
  disk: z
    .object({
      size: z.number(),
      table: z.enum(['gpt', 'mbr', 'none']),
      root: z
        .object({ number: z.number().int(), filesystem: z.string(), size: z.number(), last: z.boolean() })
        .nullable(),
    })
    .nullable(),
});
export type ImageContent = z.infer<typeof ImageContent>;

/** What may be uploaded. `raw.` formats are whole disks. */
export const UPLOAD_FORMATS = [
  'tgz',
  'tar.zst',
  'txz',
  'tbz',
  'squashfs',
  'raw.zst',
  'raw',
  'raw.gz',
  'raw.xz',
  'raw.bz2',
  'qcow2',
  'raw.tar',
  'raw.tgz',
  'raw.txz',
  'raw.tbz',
] as const;
export const UploadFormat = z.enum(UPLOAD_FORMATS);
export type UploadFormat = z.infer<typeof UploadFormat>;

/** Largest chunk of PUT /images/uploads/{id}, bytes. */
export const UPLOAD_CHUNK = 4 * 2 ** 20;

/** Begins an upload, or finds the open one of the same bytes under the same name. */
export const UploadRequest = z.strictObject({
  /** custom/x, x (the same), or os/release. */
  name: z.string().min(1).max(129),
  arch: z.string().min(1).max(32),
  format: z.string().min(1).max(32),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hexadecimal digits'),
  size: z.number().int().min(1),
  title: z.string().max(256).default(''),
});
export type UploadRequest = z.infer<typeof UploadRequest>;

/**
 * receiving: bytes are missing, the next chunk begins at `received`. checking: all are there and are looked at. ready: the
 * image `imageId` can be deployed. failed: see `failure`; an upload that failed for want of room can be finished again.
 */
export const UploadView = z.object({
  id: z.number(),
  name: z.string(),
  state: z.enum(['receiving', 'checking', 'ready', 'failed']),
  received: z.number(),
  size: z.number(),
  imageId: z.number().nullable(),
  failure: z.object({ code: z.string(), message: z.string(), fix: z.string() }).nullable(),
  content: ImageContent.nullable(),
});
export type UploadView = z.infer<typeof UploadView>;
