import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from '../../tool.ts';
import { type StreamInput, SUM, streamInto, type UnpackOutcome } from '../unpack.ts';

/** unsquashfs reads here and there: the file has to lie somewhere, and the new disk has more room than memory. */
const FETCH = `set -o pipefail
tee "$2" | ${SUM} > "$1"`;
const UNPACK_SECONDS = 3600;

/** A squashfs is fetched to the target's disk, checked there, unpacked beside itself and removed. */
export async function unpackSquashfs(input: StreamInput & { target: string }): Promise<UnpackOutcome> {
  const file = join(input.target, '.ingot-image.squashfs');
  try {
    const fetched = await streamInto(input, FETCH, [file]);
    if (!fetched.ok) return fetched;
    const args = ['-force', '-no-progress', '-dest', input.target, file];
    const run = await runTool('unsquashfs', args, { timeoutSeconds: UNPACK_SECONDS });
    if (run.exitStatus === 0) return { ok: true };
    const message = `Unpacking ended with ${run.exitStatus}: ${run.combined.trim().slice(-1500)}`;
    return { ok: false, code: 'install.step_failed', message };
  } finally {
    await rm(file, { force: true });
  }
}
