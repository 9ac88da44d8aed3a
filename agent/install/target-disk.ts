import type { InstallPlan } from '@ingot/contract/agent.ts';
import { disksFromLsblk } from '@ingot/core/hardware/disks.ts';
import { diskLinks } from '../devices.ts';
import { runTool } from '../tool.ts';

export interface DiskProblem {
  code: 'install.no_disk' | 'install.disk_too_small';
  problem: string;
}

/**
 * Path of the disk the plan means. The serial decides, then the link; the name only when the disk has neither, as names can
 * change between boots. A disk that has become smaller than the plan is refused.
 */
export async function findTargetDisk(plan: Pick<InstallPlan, 'disk'>): Promise<{ path: string } | DiskProblem> {
  const listed = await runTool('lsblk', ['--json', '--bytes', '-O'], { timeoutSeconds: 60 });
  const disks = disksFromLsblk(listed.stdout, await diskLinks(), () => undefined);
  const { serial, idPath, name, size } = plan.disk;
  const link = idPath?.startsWith('/dev/disk/by-id/') ? idPath : null;
  const found =
    (serial !== null ? disks.find((disk) => disk.serial === serial) : undefined) ??
    (link !== null ? disks.find((disk) => disk.idPath === link) : undefined) ??
    (serial === null && link === null ? disks.find((disk) => disk.name === name) : undefined);
  if (found === undefined) {
    const seen = disks.map((disk) => `${disk.name} (${disk.serial ?? 'no serial'})`).join(', ') || 'none';
    return {
      code: 'install.no_disk',
      problem: `The boot disk ${name} (serial ${serial ?? 'none'}) is not in this machine; disks here: ${seen}.`,
    };
  }
  if (found.size < size)
    return {
      code: 'install.disk_too_small',
      problem: `Disk ${found.name} has ${found.size} bytes; the plan needs ${size}.`,
    };
  return { path: `/dev/${found.name}` };
}

/** /dev/vda, 1 → /dev/vda1; /dev/nvme0n1, 1 → /dev/nvme0n1p1. */
export function partitionPath(disk: string, number: number): string {
  return /\d$/.test(disk) ? `${disk}p${number}` : `${disk}${number}`;
}
