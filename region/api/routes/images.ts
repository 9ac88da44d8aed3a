import { ImageRequest, ImageView } from '@ingot/contract/native.ts';
import * as z from 'zod';
import { type CatalogueImage, deleteImage, listImages, registerImage } from '../../images/catalogue.ts';
import { noSuch } from '../failure.ts';
import { type Route, route } from '../route.ts';

export function imageRoutes(): Route[] {
  return [
    route(
      {
        method: 'GET',
        path: '/images',
        operation: 'listImages',
        summary: 'Images in the store, newest first',
        access: 'user',
        answer: z.array(ImageView),
      },
      async ({ deps }) => (await listImages(deps.db)).map(viewOf),
    ),
    route(
      {
        method: 'POST',
        path: '/images',
        operation: 'registerImage',
        summary: 'Move finished files of this host into the store and list them as an image',
        // Paths of the region's own files: only for who can read and move them anyway.
        access: 'local',
        body: ImageRequest,
        answer: ImageView,
      },
      async ({ deps, body }) => {
        const id = await registerImage(deps, body);
        const made = (await listImages(deps.db)).find((image) => image.id === id);
        if (!made) throw noSuch('image', String(id));
        return viewOf(made);
      },
    ),
    route(
      {
        method: 'DELETE',
        path: '/images/:id',
        operation: 'deleteImage',
        summary: 'Take an image off the list; refused while machines use it',
        access: 'admin',
        params: z.object({ id: z.coerce.number().int() }),
        answer: null,
      },
      async ({ deps, params }) => {
        await deleteImage(deps, params.id);
        return undefined;
      },
    ),
  ];
}

function viewOf(image: CatalogueImage): ImageView {
  return {
    id: image.id,
    name: `${image.os}/${image.release}`,
    title: image.title,
    architecture: image.arch,
    version: image.version,
    purpose: image.purpose,
    size: image.files.reduce((sum, file) => sum + file.size, 0),
    createdAt: image.created.toISOString(),
    inUse: image.inUse,
    content: image.content,
  };
}
