import { Problem } from '../store/problem.ts';

/** os and release of an image. */
export interface ImageName {
  os: string;
  release: string;
}

const PART = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/;

/** "custom/x" and "x" are the same image; "os/release" is one of that system. Throws Problem. */
export function imageName(text: string): ImageName {
  const parts = text.split('/');
  const [os = '', release = ''] = parts.length === 1 ? ['custom', text] : parts;
  if (parts.length > 2 || !PART.test(os) || !PART.test(release)) {
    throw new Problem('image.bad_name', { field: 'name', value: JSON.stringify(text.slice(0, 80)) }, { field: 'name' });
  }
  return { os, release };
}
