import { statfs } from 'node:fs/promises';
import { Problem } from '../../store/problem.ts';

export interface UploadLimits {
  /** Bytes of one upload. */
  largest: number;
  /** Bytes of a disk that an image fills. */
  largestDisk: number;
  /** Bytes that stay free on the file system: the database often lives on it too. */
  reserve: number;
}

export const UPLOAD_LIMITS: UploadLimits = { largest: 64 * 2 ** 30, largestDisk: 2 ** 40, reserve: 512 * 2 ** 20 };

export const noSpace = (path: string, detail: string): Problem => new Problem('image.no_space', { path, detail });

/** Throws Problem `image.no_space` unless so many bytes may be written below the directory. */
export async function needRoom(directory: string, bytes: number, limits: UploadLimits): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  if (free - bytes >= limits.reserve) return;
  const mib = (value: number) => `${Math.ceil(value / 2 ** 20)} MiB`;
  throw noSpace(directory, `${mib(free)} are free, ${mib(bytes + limits.reserve)} are needed`);
}

/** ENOSPC and EDQUOT of a system call, or a tool's words for them. */
export function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')) return true;
  return /No space left on device|Disk quota exceeded/.test(error.message);
}
