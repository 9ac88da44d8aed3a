import type { CatalogueEntry } from './catalogue.ts';

/** Why the image store does not do as asked. */
export const IMAGES = {
  'image.bad_name': {
    title: 'Not an image name',
    message: '{field} {value} is not usable in an image name.',
    fix: 'Use letters, digits, ".", "_", "+" and "-", at most 64.',
    http: 400,
    kind: 'refusal',
  },
  'image.file_missing': {
    title: 'Image incomplete',
    message: 'An image for {purpose} needs a file of type {types}.',
    fix: 'Build it again with `ingot images build`.',
    http: 400,
    kind: 'refusal',
  },
  'image.blob_missing': {
    title: 'Blob not in the store',
    message: 'The store has no blob {sha256}.',
    fix: 'Give the path of the file.',
    http: 400,
    kind: 'refusal',
  },
  'image.in_use': {
    title: 'Image in use',
    message: 'Machines that deploy or run {image}: {count}.',
    fix: 'Release them first.',
    http: 409,
    kind: 'refusal',
  },
} as const satisfies Record<string, CatalogueEntry>;
