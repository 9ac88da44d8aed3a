import { createHash } from 'node:crypto';
import type { UploadFormat } from '@ingot/contract/image-upload.ts';
import { uploadVersion } from '../../images/catalogue.ts';
import { imageName } from '../../images/image-name.ts';
import { finishUpload } from '../../images/upload/finish.ts';
import { beginUpload, putChunk } from '../../images/upload/receive.ts';
import { openUploadOfImage, readUpload, type Upload } from '../../images/upload/upload-rows.ts';
import { API_PREFIX } from '../describe.ts';
import { json, type Reply, text, type UserCall } from '../table.ts';
import { badRequest, collectErrors, MaasError, noMatch, REQUIRED } from '../wire/errors.ts';
import type { Json } from '../wire/json.ts';
import { checkbox, formInteger } from '../wire/scalars.ts';
import { textOf } from '../wire/values.ts';
import { groups, maasFileType, withSets } from './boot-resource-object.ts';

/** The dialect's words for what may be uploaded, boot-and-images.md §4.3; our own formats are taken by their own names. */
const FILE_TYPES: Record<string, UploadFormat> = {
  tgz: 'tgz',
  tbz: 'tbz',
  txz: 'txz',
  ddtgz: 'raw.tgz',
  ddtbz: 'raw.tbz',
  ddtxz: 'raw.txz',
  ddtar: 'raw.tar',
  ddbz2: 'raw.bz2',
  ddgz: 'raw.gz',
  ddxz: 'raw.xz',
  ddraw: 'raw',
};

/** Words that name a system, never an image of one's own. */
const SYSTEMS = [
  'ubuntu',
  'ubuntu-core',
  'centos',
  'rhel',
  'ol',
  'suse',
  'esxi',
  'windows',
  'bootloader',
  'custom',
  'onie',
];

/** POST boot-resources/: 201 with a set of one file, which is complete when the region has the very same bytes already. */
export async function createUpload(call: UserCall): Promise<Reply> {
  const { values } = call;
  const errors = collectErrors();
  const given = (field: string): string => {
    const value = textOf(values, field);
    if (value === undefined) errors.add(field, REQUIRED);
    return value ?? '';
  };
  const content = call.files.find(({ field }) => field === 'content')?.bytes;
  const [name, architecture] = [given('name'), given('architecture')];
  if (SYSTEMS.includes(name) || /^centos\d\d?$/.test(name)) errors.add('name', `${name} is a reserved name`);
  const [os = ''] = name.split('/');
  if (name.includes('/') && !SYSTEMS.includes(os) && os !== 'debian') {
    errors.add('name', `Unsupported operating system ${os}, supported operating systems: ${SYSTEMS.join(', ')}`);
  }
  const size = content?.length ?? formInteger(values, 'size', { min: 1 });
  if (size === undefined) errors.add('size', REQUIRED);
  const sha256 =
    content === undefined ? given('sha256').toLowerCase() : createHash('sha256').update(content).digest('hex');
  if (sha256 !== '' && !/^[0-9a-f]{64}$/.test(sha256)) {
    errors.add('sha256', 'Ensure this value is a SHA-256 sum in hexadecimal (64 digits).');
  }
  const word = textOf(values, 'filetype') ?? 'tgz';
  const format = FILE_TYPES[word];
  if (format === undefined) {
    errors.add('filetype', `Select a valid choice. ${word} is not one of the available choices.`);
  }
  const [arch = '', subarch = 'generic'] = architecture.split('/');
  errors.throwIfAny();
  if (size === undefined || format === undefined) throw badRequest('Bad Request');
  const begun = await beginUpload(call.deps, {
    ...imageName(name),
    ...{ arch, subarch, format, sha256, size },
    title: textOf(values, 'title') ?? '',
    baseImage: textOf(values, 'base_image') ?? '',
    keepOld: checkbox(values, 'keep_old'),
  });
  if (content === undefined || begun.state !== 'receiving') return json(await uploadObject(call, begun), 201);
  await putChunk(call.deps, begun.id, 0, content);
  return json(await uploadObject(call, await finished(call, begun.id)), 201);
}

/** PUT: bytes go on where the upload stands. The last ones are answered when the image can be deployed. */
export async function takeChunk(call: UserCall): Promise<Reply> {
  const [imageId, id] = [Number(call.path.resource_id), Number(call.path.id)];
  if (!Number.isSafeInteger(id) || !Number.isSafeInteger(imageId)) throw noMatch('BootResourceFile');
  const upload = await readUpload(call.deps.db, id);
  if (upload === null || (await resourceId(call, upload)) !== imageId) throw noMatch('BootResourceFile');
  const stands = await putChunk(call.deps, id, null, call.raw);
  if (stands.received === stands.size) await finished(call, id);
  return text('OK');
}

async function finished(call: UserCall, id: number): Promise<Upload> {
  const upload = await finishUpload(call.deps, id);
  if (upload.failure === null) return upload;
  throw new MaasError(upload.failure.code === 'image.no_space' ? 503 : 400, upload.failure.message);
}

/** All versions of an image are one resource, by the id of its first. */
async function resourceId(call: UserCall, upload: Upload): Promise<number> {
  return (await groupOf(call, upload))?.id ?? upload.imageId;
}

async function groupOf(call: UserCall, { os, release, arch, subarch }: Upload) {
  const same = (await groups(call)).find(({ versions }) =>
    versions.some(
      (row) =>
        row.label === 'uploaded' &&
        [row.os, row.release, row.arch, row.subarch].join('\0') === [os, release, arch, subarch].join('\0'),
    ),
  );
  return same ?? null;
}

export async function uploadOfImage(call: UserCall, imageId: number): Promise<Upload | null> {
  return Number.isSafeInteger(imageId) ? openUploadOfImage(call.deps.db, imageId) : null;
}

/** The resource as the uploader sees it: the one set is that of his upload, complete or with the way to go on. */
export async function uploadObject(call: UserCall, upload: Upload): Promise<{ [key: string]: Json }> {
  const group = await groupOf(call, upload);
  const ready = group?.versions.find(({ id }) => id === upload.imageId);
  if (group !== null && ready !== undefined) return withSets(call, { ...group, versions: [ready] });
  const id = group?.id ?? upload.imageId;
  const filetype = maasFileType(upload.format);
  const version = await uploadVersion(call.deps.db, upload, new Date());
  return {
    id,
    type: 'Uploaded',
    name: upload.os === 'custom' ? upload.release : `${upload.os}/${upload.release}`,
    architecture: `${upload.arch}/${upload.subarch}`,
    resource_uri: `${API_PREFIX}boot-resources/${id}/`,
    last_deployed: null,
    title: upload.title,
    subarches: upload.subarch,
    ...(upload.baseImage === '' ? {} : { base_image: upload.baseImage }),
    sets: {
      [version]: {
        version,
        label: 'uploaded',
        size: upload.size,
        complete: false,
        files: {
          [filetype]: {
            filename: filetype,
            filetype,
            sha256: upload.sha256,
            filename_on_disk: upload.sha256,
            size: upload.size,
            complete: false,
            progress: (upload.received * 100) / upload.size,
            upload_uri: `${API_PREFIX}boot-resources/${id}/upload/${upload.id}/`,
          },
        },
      },
    },
  };
}
