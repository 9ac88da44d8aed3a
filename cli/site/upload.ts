import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ImageContent, UPLOAD_CHUNK, UploadView } from '@ingot/contract/image-upload.ts';
import { Unreachable } from '../client/request.ts';
import type { CliContext, GlobalOptions } from '../context.ts';
import { CliFailure, EXIT, type ExitCode } from '../failure.ts';
import { progressLine } from '../format/progress.ts';
import { size } from '../format/words.ts';
import { openSession, type Session } from '../session.ts';

export interface UploadOptions extends GlobalOptions {
  name: string;
  arch: string;
  format?: string;
  title?: string;
}

const CHUNK_MS = 120_000;
/** A region that is restarted is back within this many tries, each a second longer than the last. */
const TRIES = 8;
/** Longest time for looking into and converting an image. */
const CHECK_MS = 2 * 3_600_000;
const ASK_EVERY_MS = 1000;

type Show = (step: string, fraction: number | null) => void;

/** `ingot images upload FILE`: sums, sends what the region lacks, waits until the image can be deployed. */
export async function uploadImage(context: CliContext, options: UploadOptions, name: string): Promise<ExitCode> {
  const file = await openFile(name);
  const line = progressLine(context.stderr, context.live, path.basename(name));
  const show: Show = (step, fraction) => line.step({ step, fraction, text: '' });
  try {
    const { size: bytes } = await file.stat();
    const session = await openSession(context, options);
    const format = options.format ?? (await formatOf(name, file));
    const sha256 = await sumOf(name, bytes, show);
    const request = { name: options.name, arch: options.arch, format, sha256, size: bytes, title: options.title ?? '' };
    const begun = await session.client.post('/images/uploads', request, UploadView);
    const done = await finish(session, await send(session, begun, file, show), show);
    line.done();
    if (done.failure !== null) {
      const { message, code, fix } = done.failure;
      throw new CliFailure(message.replace(/\.$/, ''), { exitCode: EXIT.failed, code, fix });
    }
    session.print(done, () => readyText(done));
    return EXIT.ok;
  } finally {
    line.done();
    await file.close();
  }
}

async function openFile(name: string): Promise<FileHandle> {
  try {
    return await open(name, 'r');
  } catch (error) {
    throw new CliFailure(`the image cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      exitCode: EXIT.usage,
      fix: 'name a file',
    });
  }
}

const ENDINGS: readonly [RegExp, string][] = [
  [/\.(raw|img)\.tar\.gz$/, 'raw.tgz'],
  [/\.(raw|img)\.tar\.xz$/, 'raw.txz'],
  [/\.(raw|img)\.tar$/, 'raw.tar'],
  [/\.(tgz|tar\.gz)$/, 'tgz'],
  [/\.(tzst|tar\.zst)$/, 'tar.zst'],
  [/\.(txz|tar\.xz)$/, 'txz'],
  [/\.(tbz|tbz2|tar\.bz2)$/, 'tbz'],
  [/\.(squashfs|sqfs|squash)$/, 'squashfs'],
  [/\.qcow2$/, 'qcow2'],
  [/\.(raw|img|dd)\.zst$/, 'raw.zst'],
  [/\.(raw|img|dd)\.gz$/, 'raw.gz'],
  [/\.(raw|img|dd)\.xz$/, 'raw.xz'],
  [/\.(raw|img|dd)\.bz2$/, 'raw.bz2'],
  [/\.(raw|img|dd)$/, 'raw'],
];

/** By the name; a cloud image called .img often is a qcow2, which its first bytes say. */
async function formatOf(name: string, file: FileHandle): Promise<string> {
  const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
  if (buffer.toString('latin1') === 'QFI\u00fb') return 'qcow2';
  const found = ENDINGS.find(([ending]) => ending.test(name.toLowerCase()))?.[1];
  if (found !== undefined) return found;
  throw new CliFailure(`the format of ${path.basename(name)} cannot be told by its name`, {
    exitCode: EXIT.usage,
    fix: 'give --format, for example --format raw.zst',
  });
}

async function sumOf(name: string, bytes: number, show: Show): Promise<string> {
  const hash = createHash('sha256');
  let done = 0;
  for await (const part of createReadStream(name, { highWaterMark: 2 ** 20 })) {
    const chunk: Buffer = part;
    hash.update(chunk);
    done += chunk.length;
    show('checksum', done / bytes);
  }
  return hash.digest('hex');
}

/** Piece by piece from where the region stands; it is asked again where that is after every break. */
async function send(session: Session, begun: UploadView, file: FileHandle, show: Show): Promise<UploadView> {
  let upload = begun;
  const buffer = Buffer.alloc(UPLOAD_CHUNK);
  // Ends: every round moves on by a piece, or is one of a limited number of tries.
  for (let tries = 0; upload.state === 'receiving' && upload.received < upload.size; ) {
    show('upload', upload.received / upload.size);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, upload.received);
    if (bytesRead === 0) throw new CliFailure('the file became shorter while it was sent', { exitCode: EXIT.failed });
    const where = `/images/uploads/${upload.id}?offset=${upload.received}`;
    try {
      upload = await session.client.putBytes(where, buffer.subarray(0, bytesRead), UploadView, CHUNK_MS);
      tries = 0;
    } catch (error) {
      tries += 1;
      if (!(error instanceof Unreachable) || tries > TRIES) throw error;
      await sleep(tries * 1000);
    }
  }
  return upload;
}

/** Asked for at least once: an upload that waits for room on the region's disk is looked at again. */
async function finish(session: Session, sent: UploadView, show: Show): Promise<UploadView> {
  if (sent.state === 'ready' || sent.state === 'failed') return sent;
  const until = Date.now() + CHECK_MS;
  for (;;) {
    show('looking into it', null);
    const upload = await session.client.post(`/images/uploads/${sent.id}/finish`, undefined, UploadView);
    if (upload.state === 'receiving' && upload.failure === null) {
      throw new CliFailure('the region could not look into the image', {
        fix: 'its log says why',
        exitCode: EXIT.failed,
      });
    }
    if (upload.state !== 'checking') return upload;
    if (Date.now() > until) throw new CliFailure('the image is still being looked into', { exitCode: EXIT.failed });
    await sleep(ASK_EVERY_MS);
  }
}

function readyText(upload: UploadView): string {
  const { content } = upload;
  const first = `${upload.name} can be deployed (image ${upload.imageId}, ${size(upload.size)})\n`;
  return content === null ? first : first + contentText(content);
}

const said = (value: boolean | null): string => (value === null ? 'not known' : value ? 'yes' : 'no');

function contentText(content: ImageContent): string {
  const rows: [string, string][] = [
    ['system', content.system ?? 'not known'],
    ['boots', `BIOS ${said(content.boots.bios)}, UEFI ${said(content.boots.uefi)}`],
    ['cloud-init', said(content.cloudInit)],
  ];
  if (content.shape === 'tree') rows.push(['kernels', content.kernels?.join(', ') || 'none with an initrd']);
  if (content.disk) {
    const root = content.disk.root;
    rows.push(['disk', `${size(content.disk.size)}, ${content.disk.table}`]);
    rows.push(['root', root === null ? 'not found' : `partition ${root.number}, ${root.filesystem}`]);
  }
  return rows.map(([name, value]) => `  ${name.padEnd(11)}${value}\n`).join('');
}
