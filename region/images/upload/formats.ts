import { UPLOAD_FORMATS, type UploadFormat } from '@ingot/contract/image-upload.ts';
import { Problem } from '../../store/problem.ts';

/** How the bytes of a format become what the agent knows: tgz, tar.zst and squashfs as they are, all else converted. */
export interface FormatRule {
  shape: 'tree' | 'disk';
  /** File type in the store. */
  stored: 'root-tgz' | 'root-tar.zst' | 'squashfs' | 'root-raw.zst';
  /** Program that takes the compression off; null: none. qcow2 is read by qemu-img. */
  decompress: 'gzip' | 'xz' | 'bzip2' | 'zstd' | 'qemu-img' | null;
  /** The disk image is the only file of an archive. */
  archived: boolean;
  /** What was uploaded is what is stored. */
  asItIs: boolean;
}

const tree = (stored: FormatRule['stored'], decompress: FormatRule['decompress'], asItIs = true): FormatRule => ({
  shape: 'tree',
  stored,
  decompress,
  archived: false,
  asItIs,
});
const disk = (decompress: FormatRule['decompress'], archived = false, asItIs = false): FormatRule => ({
  shape: 'disk',
  stored: 'root-raw.zst',
  decompress,
  archived,
  asItIs,
});

export const FORMAT_RULES: Record<UploadFormat, FormatRule> = {
  tgz: tree('root-tgz', 'gzip'),
  'tar.zst': tree('root-tar.zst', 'zstd'),
  txz: tree('root-tar.zst', 'xz', false),
  tbz: tree('root-tar.zst', 'bzip2', false),
  squashfs: tree('squashfs', null),
  'raw.zst': disk('zstd', false, true),
  raw: disk(null),
  'raw.gz': disk('gzip'),
  'raw.xz': disk('xz'),
  'raw.bz2': disk('bzip2'),
  qcow2: disk('qemu-img'),
  'raw.tar': disk(null, true),
  'raw.tgz': disk('gzip', true),
  'raw.txz': disk('xz', true),
  'raw.tbz': disk('bzip2', true),
};

/** Throws Problem for a word that is no format. */
export function uploadFormat(word: string): UploadFormat {
  const found = UPLOAD_FORMATS.find((format) => format === word);
  if (found !== undefined) return found;
  const params = { format: word.slice(0, 40), formats: UPLOAD_FORMATS.join(', ') };
  throw new Problem('image.unknown_format', params, { field: 'format' });
}
