import type { ErasedDisk } from './erase.ts';
import { runTool } from './tool.ts';

const DAY_SECONDS = 86_400;
/** ATA wants a password to arm the erase; the erase itself removes it. The name is what rescuers look for. */
const ATA_PASSWORD = 'maas';

/** Let the firmware erase the disk. Null when it did, otherwise why not. */
export async function secureErase(disk: ErasedDisk): Promise<string | null> {
  return disk.name.startsWith('nvme') ? formatNvme(disk) : eraseAta(disk);
}

async function formatNvme(disk: ErasedDisk): Promise<string | null> {
  const controller = disk.path.replace(/n\d+$/, '');
  const identify = await runTool('nvme', ['id-ctrl', controller], { timeoutSeconds: 60 });
  const value = (name: string) => Number(new RegExp(`^${name}\\s*:\\s*(\\S+)`, 'm').exec(identify.stdout)?.[1] ?? 0);
  // OACS bit 1: Format NVM; FNA bit 2: cryptographic erase (NVMe base specification, Identify Controller).
  if ((value('oacs') & 2) === 0) return 'the controller has no format command';
  const setting = (value('fna') & 4) !== 0 ? '2' : '1';
  const formatted = await runTool('nvme', ['format', disk.path, '--ses', setting, '--force'], {
    timeoutSeconds: DAY_SECONDS,
  });
  return formatted.exitStatus === 0 ? null : formatted.combined.trim().slice(0, 500);
}

async function eraseAta(disk: ErasedDisk): Promise<string | null> {
  const identify = await runTool('hdparm', ['-I', disk.path], { timeoutSeconds: 60 });
  const security = /^Security:[^\n]*\n((?:[ \t]+.*\n?)*)/m.exec(identify.stdout)?.[1] ?? '';
  const has = (word: string) => new RegExp(`^\\s+${word}\\s*$`, 'm').test(security);
  if (!has('supported')) return 'the disk has no ATA security';
  for (const state of ['frozen', 'locked', 'enabled']) if (has(state)) return `ATA security is ${state}`;
  const armed = await runTool('hdparm', ['--user-master', 'u', '--security-set-pass', ATA_PASSWORD, disk.path], {
    timeoutSeconds: 60,
  });
  if (armed.exitStatus !== 0) return armed.combined.trim().slice(0, 500);
  const command = /supported: enhanced erase/.test(security) ? '--security-erase-enhanced' : '--security-erase';
  const erased = await runTool('hdparm', ['--user-master', 'u', command, ATA_PASSWORD, disk.path], {
    timeoutSeconds: DAY_SECONDS,
  });
  if (erased.exitStatus === 0) return null;
  // A disk left with a password would be locked at the next power-on.
  await runTool('hdparm', ['--user-master', 'u', '--security-disable', ATA_PASSWORD, disk.path], {
    timeoutSeconds: 60,
  });
  return erased.combined.trim().slice(0, 500);
}
