import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { refusal } from '@ingot/core/machine/catalogue.ts';
import type { FastifyInstance } from 'fastify';
import type { RegionDeps } from '../deps.ts';
import { type ByteRange, byteRange } from './byte-range.ts';
import { identifyPeer } from './peer.ts';

const STEP = 512 * 1024;
/** A rack that takes nothing for this long is gone. */
const STALL_MS = 60_000;

async function openBlob(deps: RegionDeps, sha256: string): Promise<{ file: FileHandle; size: number } | null> {
  try {
    const file = await open(deps.blobs.path(sha256), 'r');
    return { file, size: (await file.stat()).size };
  } catch {
    return null;
  }
}

/** Waits until the peer has taken what was written, or throws when it does not within STALL_MS. */
async function drained(to: ServerResponse): Promise<void> {
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(STALL_MS)]);
  const settled = [once(to, 'drain', { signal }), once(to, 'close', { signal })];
  try {
    await Promise.race(settled);
  } finally {
    // The one that lost lets go of its listener now: a large blob waits thousands of times.
    over.abort();
    await Promise.allSettled(settled);
  }
}

/**
 * Copies bytes of a file to a response. Written by hand: fs streams read 64 KiB at a time and lose a third of the speed.
 * One buffer is enough, since the next read waits until the socket has let go of it.
 */
async function send(file: FileHandle, range: ByteRange, to: ServerResponse): Promise<void> {
  const buffer = Buffer.allocUnsafe(STEP);
  let at = range.first;
  while (at <= range.last && !to.destroyed) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(STEP, range.last - at + 1), at);
    if (bytesRead === 0) throw new Error(`blob ends at byte ${at}, ${range.last + 1} promised`);
    at += bytesRead;
    if (!to.write(buffer.subarray(0, bytesRead))) await drained(to);
  }
  to.end();
}

/** GET /rack/v1/blobs/{sha256}: image bytes for racks, with Range and a strong ETag (the sum itself). */
export function registerBlobRoute(app: FastifyInstance, deps: RegionDeps): void {
  app.route<{ Params: { sha256: string } }>({
    method: ['GET', 'HEAD'],
    url: '/rack/v1/blobs/:sha256',
    handler: async (request, reply) => {
      const asking = await identifyPeer(deps, request.raw);
      if (!asking.ok) {
        const { status, ...body } = asking.refusal;
        return reply.code(status).send(body);
      }
      const { sha256 } = request.params;
      const blob = await openBlob(deps, sha256);
      if (!blob) return reply.code(404).send(refusal('not_found', { what: `The blob ${sha256.slice(0, 64)}` }));
      const { file, size } = blob;
      const asked = request.headers['if-range'] === `"${sha256}"` || !request.headers['if-range'];
      const range = byteRange(asked ? request.headers.range : undefined, size);
      const head = { etag: `"${sha256}"`, 'accept-ranges': 'bytes', 'content-type': 'application/octet-stream' };
      reply.hijack();
      const to = reply.raw;
      try {
        if (range === 'unsatisfiable') {
          to.writeHead(416, { ...head, 'content-range': `bytes */${size}`, 'content-length': 0 }).end();
          return;
        }
        const part = range === 'whole' ? { first: 0, last: size - 1 } : range;
        const length = part.last - part.first + 1;
        if (range === 'whole') to.writeHead(200, { ...head, 'content-length': length });
        else
          to.writeHead(206, {
            ...head,
            'content-length': length,
            'content-range': `bytes ${part.first}-${part.last}/${size}`,
          });
        if (request.method === 'HEAD') to.end();
        else await send(file, part, to);
      } catch (error) {
        deps.log.warn({ err: error, sha256 }, 'blob not sent to its end');
        to.destroy();
      } finally {
        await file.close();
      }
    },
  });
}
