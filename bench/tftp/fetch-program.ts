/** The client in a process of its own: `fetch-program.mjs JSON`, see `FetchOrder`; prints a `FetchResult` as JSON. */
import { createHash } from 'node:crypto';
import { readTftp } from '@ingot/protocols/tftp/client.ts';
import type { FetchOrder, FetchResult } from './order.ts';

// The bench started this program with what it made of a FetchOrder.
const order = JSON.parse(process.argv[2] ?? '') as FetchOrder;
const hash = order.digest ? createHash('sha256') : null;
const started = performance.now();
const ends = await Promise.all(
  Array.from({ length: order.clients }, (_, i) =>
    readTftp({
      address: '127.0.0.1',
      port: order.port,
      name: order.name,
      blockSize: order.blockSize,
      ...(order.windowSize > 1 ? { windowSize: order.windowSize } : {}),
      // Each machine has an address of its own, as in life; all of 127.0.0.0/8 is ours.
      ...(order.clients > 1 ? { localAddress: `127.1.${1 + Math.floor(i / 200)}.${1 + (i % 200)}` } : {}),
      timeoutMs: order.timeoutMs,
      ...(hash ? { onData: (data: Buffer) => void hash.update(data) } : {}),
    }),
  ),
);
const result: FetchResult = {
  seconds: (performance.now() - started) / 1000,
  received: ends.filter((end) => end.outcome === 'received').length,
  bytes: ends.reduce((sum, end) => sum + end.bytes, 0),
  timeouts: ends.reduce((sum, end) => sum + end.timeouts, 0),
  repeats: ends.reduce((sum, end) => sum + end.repeats, 0),
  blockSize: Math.min(...ends.map((end) => end.blockSize)),
  windowSize: Math.min(...ends.map((end) => end.windowSize)),
  sha256: hash?.digest('hex') ?? '',
  problems: [...new Set(ends.flatMap((end) => (end.outcome === 'received' ? [] : [`${end.outcome}: ${end.message}`])))],
};
console.log(JSON.stringify(result));
