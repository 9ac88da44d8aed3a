import { deleteImage } from '../../images/catalogue.ts';
import { crud, EMPTY, json, named, parameter, type Reply, type Resource, type UserCall } from '../table.ts';
import { badRequest, noMatch } from '../wire/errors.ts';
import { textOf } from '../wire/values.ts';
import { groups, isUploaded, resourceObject, withSets } from './boot-resource-object.ts';
import { createUpload, takeChunk, uploadObject, uploadOfImage } from './boot-resource-upload.ts';

async function list(call: UserCall): Promise<Reply> {
  const type = textOf(call.query, 'type') ?? 'all';
  if (!['all', 'synced', 'uploaded'].includes(type)) throw badRequest(`'${type}' is not a valid boot resource type.`);
  const wanted = (await groups(call)).filter((group) => type === 'all' || isUploaded(group) === (type === 'uploaded'));
  return json(wanted.map(resourceObject));
}

async function read(call: UserCall): Promise<Reply> {
  const id = Number(call.path.id);
  const group = (await groups(call)).find((candidate) => candidate.id === id);
  if (group !== undefined) return json(await withSets(call, group));
  const upload = await uploadOfImage(call, id);
  if (upload === null) throw noMatch('BootResource');
  return json(await uploadObject(call, upload));
}

async function remove(call: UserCall): Promise<Reply> {
  const id = Number(call.path.id);
  const group = (await groups(call)).find((candidate) => candidate.id === id);
  if (group === undefined) throw noMatch('BootResource');
  for (const version of group.versions) await deleteImage(call.deps, version.id);
  return EMPTY;
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
        crud(
          'POST',
          'admin',
          {
            title: 'Upload an image',
            body: 'Its bytes follow in pieces, by PUT to the upload_uri of the answer.',
            parameters: [
              parameter('name', 'custom/NAME, NAME, or OS/RELEASE.', 'String', true),
              parameter('architecture', 'amd64/generic', 'String', true),
              parameter('sha256', 'Sum of the bytes, lower-case hexadecimal.', 'String', true),
              parameter('size', 'Number of bytes.', 'Int', true),
              parameter('title', 'Shown to people.'),
              parameter('filetype', 'tgz unless told; tbz, txz, ddtgz, ddtbz, ddtxz, ddtar, ddbz2, ddgz, ddxz, ddraw.'),
              parameter('base_image', 'OS/SERIES that it was made from.'),
              parameter('keep_old', 'Keep earlier versions of the image.', 'Boolean'),
              parameter('content', 'The file itself; clients send it in pieces instead.', 'File'),
            ],
          },
          createUpload,
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
      operations: [
        crud('GET', 'user', { title: 'Read an image with its versions' }, read),
        crud('DELETE', 'admin', { title: 'Delete an image with its versions' }, remove),
      ],
    },
  },
  {
    paths: ['boot-resources/{resource_id}/upload/{id}/'],
    anon: null,
    auth: {
      name: 'BootResourceFileUploadHandler',
      doc: 'The bytes of an image that is being uploaded.',
      operations: [crud('PUT', 'admin', { title: 'Send the next bytes; the last ones complete the image' }, takeChunk)],
    },
  },
];
