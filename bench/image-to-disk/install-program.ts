/** The agent's own way of an image to the disk: `install-program.mjs JSON`, see `InstallOrder`. */
import { writeDiskImage } from '@ingot/agent/install/formats/disk-image.ts';
import { unpackImage } from '@ingot/agent/install/unpack.ts';
import type { InstallOrder } from './order.ts';

// The bench started this program with what it made of an InstallOrder.
const order = JSON.parse(process.argv[2] ?? '') as InstallOrder;
const { url, sha256, size, target, sumFile } = order;
const log = (line: string) => console.error(line);
const stream = { url, sha256, size, sumFile, log, onProgress: () => undefined };
if (order.format === 'tar.zst') {
  const outcome = await unpackImage({ ...stream, format: 'tar.zst', target });
  if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.message}`);
} else {
  await writeDiskImage({ path: '', sha256, size, format: 'raw.zst' }, target, stream);
}
