import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Bench, type BenchContext, interleave, type Row, type Sample } from '../harness/bench.ts';
import { runToEnd, startProcess } from '../harness/process.ts';
import type { InstallOrder } from './order.ts';

const NOTE =
  'Ours fetches the image from the rack over loopback, sums every compressed byte and unpacks or writes it; theirs reads a file of the page cache and sums nothing. Both end with what was written on the disk (sync, fsync). CPU is that of the side’s processes, the rack’s server not counted.';
const SAME =
  'curl | zstd | tar and curl | zstd | dd fetch from the same rack, also without a sum: what the sum alone costs.';
const DIRECT =
  'The disk is not in the page cache before a run, as after power on. Ours writes past the page cache; dd asked to do so, too, is what fetching, the sum and the start of our program cost together.';

const GOALS: Row['goals'] = [{ of: 'speed', is: 'at least', value: 0.95 }];

/** Of this host's Debian: large programs and small files, as in an image. */
const TREE = ['usr/bin', 'usr/share/doc', 'usr/share/locale', 'usr/share/perl'];

const UNPACK = `tar -xpf - --xattrs --xattrs-include='*' --numeric-owner -C "$2"`;
const WRITE = 'dd of="$2" bs=4M iflag=fullblock conv=fsync,nocreat status=none';
/** Past the page cache, as ours does. */
const WRITE_DIRECT = `${WRITE} oflag=direct`;

interface Image {
  format: InstallOrder['format'];
  sha256: string;
  size: number;
  file: string;
  url: string;
}

export const bench: Bench = {
  name: 'image-to-disk',
  what: 'the agent’s way of a tar.zst and a raw.zst from the rack to the disk, beside zstd -d piped to tar and dd',
  needsRoot: true,
  async run(context) {
    const cache = path.join(context.scratch, 'rack/cache');
    await mkdir(cache, { recursive: true });
    context.say('packing a tree and an image');
    const tar = path.join(context.scratch, 'tree.tar');
    const tree = TREE.filter((folder) => existsSync(path.join('/', folder)));
    await runToEnd(['tar', '-C', '/', '--one-file-system', '-cf', tar, ...tree]);
    const { size: unpacked } = await stat(tar);
    const sizeText = `${(unpacked / 2 ** 20).toFixed(0)} MiB`;
    const packed = await pack(cache, tar);
    // A disk of the size of the bytes; for dd any bytes are an image.
    const { stdout } = await runToEnd(['losetup', '--find', '--show', tar]);
    const device = stdout.trim();
    // Detached while it is held open, it goes with this process, however that ends.
    const held = await open(device, 'r');
    await runToEnd(['losetup', '--detach', device]);
    const rack = await startProcess([
      process.execPath,
      context.program('serve', 'http-image'),
      path.join(context.scratch, 'rack'),
    ]);
    try {
      const url = `http://127.0.0.1:${await rack.firstLine}/blobs/sha256/${packed.sha256}`;
      const image = { ...packed, url };
      const raw = await disk(context, { ...image, format: 'raw.zst' }, device, sizeText);
      const unpackedRows = await folder(context, { ...image, format: 'tar.zst' }, sizeText);
      return [...unpackedRows, ...raw];
    } finally {
      await rack.stop();
      await held.close();
    }
  },
};

/** The same compressed bytes serve as tar.zst and as raw.zst. */
async function pack(cache: string, tar: string): Promise<{ sha256: string; size: number; file: string }> {
  const part = path.join(cache, 'part');
  await runToEnd(['zstd', '-q', '-3', '-T0', tar, '-o', part]);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(part, { highWaterMark: 2 ** 20 })) hash.update(chunk);
  const sha256 = hash.digest('hex');
  const file = path.join(cache, sha256);
  await rename(part, file);
  return { sha256, size: (await stat(file)).size, file };
}

function orderFor(context: BenchContext, image: Image, target: string): string {
  const { format, url, sha256, size } = image;
  const sumFile = path.join(context.scratch, 'sum');
  return JSON.stringify({ format, url, sha256, size, target, sumFile } satisfies InstallOrder);
}

const LOCAL = (into: string) => `set -o pipefail; zstd -dc -q "$1" | ${into}`;
const FETCHED = (into: string) => `set -o pipefail; curl --silent --fail "$1" | zstd -dc -q | ${into}`;

async function timed(argv: readonly [string, ...string[]], target: string): Promise<Sample> {
  // What one side left in memory must not be written in the other's time.
  await runToEnd(['sync', '--file-system', target]);
  const { seconds, cpuSeconds } = await runToEnd(argv);
  const sync = await runToEnd(['sync', '--file-system', target]);
  return { value: seconds + sync.seconds, cpuSeconds };
}

async function folder(context: BenchContext, image: Image, sizeText: string): Promise<Row[]> {
  context.say('tar.zst');
  const target = path.join(context.scratch, 'target');
  const into = async (argv: readonly [string, ...string[]]): Promise<Sample> => {
    await rm(target, { recursive: true, force: true });
    await mkdir(target);
    return await timed(argv, target);
  };
  const sides = await interleave(context.rounds, {
    ingot: () => into([process.execPath, context.program('install'), orderFor(context, image, target)]),
    local: () => into(['bash', '-c', LOCAL(UNPACK), 'bench', image.file, target]),
    fetched: () => into(['bash', '-c', FETCHED(UNPACK), 'bench', image.url, target]),
  });
  return rows(`tar.zst, ${sizeText} unpacked`, 'tar', sides);
}

async function disk(context: BenchContext, image: Image, device: string, sizeText: string): Promise<Row[]> {
  context.say('raw.zst');
  const into = async (argv: readonly [string, ...string[]]): Promise<Sample> => {
    // As a disk is when a machine was just switched on: nothing of it is in memory.
    await runToEnd(['blockdev', '--flushbufs', device]);
    return await timed(argv, device);
  };
  const sides = await interleave(context.rounds, {
    ingot: () => into([process.execPath, context.program('install'), orderFor(context, image, device)]),
    local: () => into(['bash', '-c', LOCAL(WRITE), 'bench', image.file, device]),
    fetched: () => into(['bash', '-c', FETCHED(WRITE), 'bench', image.url, device]),
    direct: () => into(['bash', '-c', LOCAL(WRITE_DIRECT), 'bench', image.file, device]),
  });
  const what = `raw.zst, ${sizeText} written`;
  const theirs = { name: 'zstd -d | dd oflag=direct', samples: sides.direct };
  return [...rows(what, 'dd', sides), { ...rowOf(what, sides.ingot), theirs, goals: GOALS, note: DIRECT }];
}

const rowOf = (what: string, samples: Sample[]) => ({
  what,
  unit: 's',
  better: 'less' as const,
  ours: { name: 'ingot', samples },
});

function rows(what: string, tool: string, sides: Record<'ingot' | 'local' | 'fetched', Sample[]>): Row[] {
  const row = rowOf(what, sides.ingot);
  return [
    {
      ...row,
      theirs: { name: `zstd -d | ${tool}`, samples: sides.local },
      goals: GOALS,
      note: NOTE,
    },
    { ...row, theirs: { name: `curl | zstd -d | ${tool}`, samples: sides.fetched }, goals: [], note: SAME },
  ];
}
