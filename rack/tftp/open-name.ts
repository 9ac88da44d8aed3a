import { open } from 'node:fs/promises';
import type { Remote, TftpFile } from '@ingot/protocols/tftp/transfer.ts';
import { answerBoot } from '../boot/answer-boot.ts';
import { GRUB_CONFIG, grubConfigOf } from '../boot/grub-config.ts';
import type { BootPlane } from '../httpboot/boot-plane.ts';

/**
 * What a name means at this rack: GRUB's configuration, the machine's part of it, an image's file by its SHA-256, or a boot
 * program. `host` is our address that was asked. Null = no such file; throws where the image is not to be had now.
 */
export async function openName(plane: BootPlane, host: string, name: string, remote: Remote): Promise<TftpFile | null> {
  const path = name
    .replaceAll('\\', '/')
    .replace(/\/{2,}/g, '/')
    .replace(/^\//, '');
  if (path === 'grub/grub.cfg') return inMemory(Buffer.from(GRUB_CONFIG));
  const asked = /^ingot\/([0-9a-f:]{17})?\/?boot\.cfg$/i.exec(path);
  if (asked) {
    const claimedMac = asked[1] ?? null;
    const leasedMac = await plane.macOf(remote.address, claimedMac);
    const asker = { address: remote.address, host, leasedMac, claimedMac };
    return inMemory(Buffer.from(grubConfigOf(answerBoot(plane, asker, Date.now()))));
  }
  const blob = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(path);
  if (blob?.[1]) return await openBlob(plane, blob[1]);
  const program = plane.files.find(path);
  return program && inMemory(program);
}

function inMemory(bytes: Buffer): TftpFile {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** A block is a kilobyte or so: the disk is asked for this much at a time. */
const READ_AHEAD_BYTES = 256 * 1024;

async function openBlob(plane: BootPlane, sha256: string): Promise<TftpFile | null> {
  const found = await plane.cache.get(sha256);
  if (found.kind === 'missing') return null;
  if (found.kind === 'unavailable') throw new Error(found.why);
  const { size } = found;
  const file = await open(found.path, 'r');
  let start = 0;
  let ahead: Buffer = Buffer.alloc(0);
  async function readOn(offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.max(length, Math.min(READ_AHEAD_BYTES, size - offset)));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    start = offset;
    ahead = buffer.subarray(0, bytesRead);
    return ahead.subarray(0, length);
  }
  return {
    size,
    read: (offset, length) => {
      const isHere = offset >= start && offset + length <= start + ahead.length;
      return isHere ? ahead.subarray(offset - start, offset - start + length) : readOn(offset, length);
    },
    close: () =>
      void file.close().catch((error: unknown) => plane.log.warn({ err: error, sha256 }, 'tftp: not closed')),
  };
}
