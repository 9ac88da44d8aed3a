import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageContent } from '@ingot/core/plan/image-content.ts';
import { Problem } from '../../store/problem.ts';
import { inspectDisk } from '../inspect/disk.ts';
import { QCOW2_HEAD, readQcow2 } from '../inspect/qcow2.ts';
import { inspectTree } from '../inspect/tree.ts';
import { boundedTool, type ToolLimits } from './bounded-tool.ts';
import { FORMAT_RULES, type FormatRule } from './formats.ts';
import { noSpace, type UploadLimits } from './room.ts';
import type { Upload } from './upload-rows.ts';

/** A checked image: the file to store, below the working directory unless it is the upload itself. */
export interface TakenIn {
  file: string;
  filetype: FormatRule['stored'];
  content: ImageContent;
}

const CONVERT_MS = 2 * 3_600_000;

/**
 * Looks into a complete upload and converts what the agent does not know. Temporary files stand in `work`, which the caller
 * removes. Throws Problem: image.unreadable, image.no_space, image.too_large.
 */
export async function takeIn(upload: Upload, file: string, work: string, limits: UploadLimits): Promise<TakenIn> {
  const rule = FORMAT_RULES[upload.format];
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true, mode: 0o700 });
  try {
    return rule.shape === 'tree'
      ? await takeTree(upload, rule, file, work, limits)
      : await takeDisk(upload, rule, file, work, limits);
  } catch (error) {
    if (error instanceof Problem) throw error;
    const detail = error instanceof Error ? error.message : String(error);
    throw new Problem('image.unreadable', { format: upload.format, detail });
  }
}

async function takeTree(
  upload: Upload,
  rule: FormatRule,
  file: string,
  work: string,
  limits: UploadLimits,
): Promise<TakenIn> {
  const filetype = rule.stored;
  if (upload.format === 'squashfs' || upload.format === 'tgz' || upload.format === 'tar.zst') {
    return { file, filetype, content: await inspectTree(file, upload.format) };
  }
  const converted = join(work, 'root.tar.zst');
  await pipe([decompress(rule), 'zstd -q -T0 -3 -o "$2"'], [file, converted], limits, work);
  return { file: converted, filetype, content: await inspectTree(converted, 'tar.zst') };
}

async function takeDisk(
  upload: Upload,
  rule: FormatRule,
  file: string,
  work: string,
  limits: UploadLimits,
): Promise<TakenIn> {
  const raw = upload.format === 'raw' ? file : join(work, 'disk.raw');
  if (rule.decompress === 'qemu-img') {
    const found = readQcow2(await headOf(file));
    if (!found.ok) throw new Error(found.why);
    if (found.size > limits.largestDisk) {
      throw new Problem('image.too_large', { size: found.size, limit: limits.largestDisk });
    }
    const convert = ['convert', '-f', 'qcow2', '-O', 'raw', file, raw];
    await boundedTool('qemu-img', convert, toolLimits(limits, work));
  } else if (raw !== file) {
    const unpack = rule.archived ? 'tar -xOf -' : 'cat';
    await pipe(
      [decompress(rule), unpack, 'dd of="$2" bs=1M iflag=fullblock conv=sparse status=none'],
      [file, raw],
      limits,
      work,
    );
  }
  const content = await inspectDisk(raw);
  if (content.disk === null || content.disk.size === 0) throw new Error('it holds no bytes');
  if (rule.asItIs) return { file, filetype: rule.stored, content };
  const packed = join(work, 'disk.raw.zst');
  await pipe(['cat "$1"', 'zstd -q -T0 -3 -o "$2"'], [raw, packed], limits, work);
  return { file: packed, filetype: rule.stored, content };
}

async function headOf(file: string): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(QCOW2_HEAD), 0, QCOW2_HEAD, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

const decompress = ({ decompress }: FormatRule): string =>
  decompress === null || decompress === 'qemu-img' ? 'cat "$1"' : `${decompress} -dc "$1"`;

const toolLimits = (limits: UploadLimits, directory: string): ToolLimits => ({
  deadlineMs: CONVERT_MS,
  fileSize: limits.largestDisk,
  watch: { directory, reserve: limits.reserve },
});

/** Stages joined by pipes; "$1" and "$2" are the paths, so that no name of a file is ever read as shell. */
async function pipe(
  stages: readonly string[],
  paths: readonly [string, string],
  limits: UploadLimits,
  work: string,
): Promise<void> {
  try {
    const script = `set -o pipefail; ${stages.join(' | ')}`;
    await boundedTool('bash', ['-c', script, 'image', ...paths], toolLimits(limits, work));
  } catch (error) {
    if (error instanceof Error && /File too large|File size limit/.test(error.message)) {
      throw noSpace(work, `the disk in the image is larger than ${limits.largestDisk} bytes`);
    }
    throw error;
  }
}
