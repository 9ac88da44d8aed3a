import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { InstallPlan } from '@ingot/contract/agent.ts';
import { mustRun, runTool } from '../tool.ts';
import { partitionPath } from './target-disk.ts';

const NODE_WAIT_MS = 15_000;

/** Write the plan's GPT and wait for the partitions' device nodes. Throws with the tool's words. */
export async function writePartitions(plan: InstallPlan, disk: string): Promise<void> {
  const sector = Number((await mustRun('blockdev', ['--getss', disk], { timeoutSeconds: 30 })).stdout.trim());
  await mustRun('sgdisk', partitionArguments(plan, disk, sector), { timeoutSeconds: 120 });
  await runTool('blockdev', ['--rereadpt', disk], { timeoutSeconds: 60 });
  await runTool('udevadm', ['settle', '--timeout=10'], { timeoutSeconds: 15 });
  for (const { number } of plan.partitions) await partitionAppears(partitionPath(disk, number));
}

/** Waits for a partition's device node; throws when it does not come within 15 s. */
export async function partitionAppears(path: string): Promise<void> {
  for (let waited = 0; !existsSync(path); waited += 100) {
    if (waited >= NODE_WAIT_MS) throw new Error(`partition ${path} did not appear in ${NODE_WAIT_MS / 1000} s`);
    await sleep(100);
  }
}

/** One sgdisk call: old tables go, then every partition with its exact sectors, type and identity. */
export function partitionArguments(plan: InstallPlan, disk: string, sector: number): string[] {
  const args = ['--zap-all', '--clear', '--set-alignment=1'];
  for (const { number, start, size, typeCode, uuid, label } of plan.partitions) {
    const first = start / sector;
    const last = (start + size) / sector - 1;
    if (!Number.isInteger(first) || !Number.isInteger(last)) {
      throw new Error(`partition ${number} does not end on a sector of ${sector} bytes`);
    }
    args.push(
      `--new=${number}:${first}:${last}`,
      `--typecode=${number}:${typeCode}`,
      `--partition-guid=${number}:${uuid}`,
    );
    if (label !== null) args.push(`--change-name=${number}:${label}`);
  }
  return [...args, disk];
}

/** Make the file systems; inode tables are filled in later by the running system. */
export async function makeFilesystems(plan: InstallPlan, disk: string): Promise<void> {
  for (const { number, filesystem, filesystemUuid, label } of plan.partitions) {
    const path = partitionPath(disk, number);
    const named = label === null ? [] : ['-L', label];
    if (filesystem === 'ext4') {
      const options = ['-E', 'lazy_itable_init=1,lazy_journal_init=1,nodiscard'];
      await mustRun('mkfs.ext4', ['-q', '-F', ...options, ...named, '-U', filesystemUuid ?? 'random', path], {
        timeoutSeconds: 600,
      });
    } else if (filesystem === 'vfat') {
      const id = filesystemUuid === null ? [] : ['-i', filesystemUuid.replace('-', '')];
      const name = label === null ? [] : ['-n', label.toUpperCase().slice(0, 11)];
      await mustRun('mkfs.vfat', ['-F', '32', ...id, ...name, path], { timeoutSeconds: 600 });
    } else {
      // GRUB's core goes here; what an earlier system left would be found by blkid.
      await runTool('wipefs', ['-a', '-f', path], { timeoutSeconds: 60 });
    }
  }
}
