import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { kernelIsLoaded } from './install/kexec.ts';
import { runTool } from './tool.ts';

/**
 * Leave at once: everything is written and unmounted by whoever worked, and this system is a copy in RAM, so nothing is shut
 * down in order. A reboot starts the kernel that was loaded for kexec, if one was. Does not return when it works.
 */
export async function leave(next: 'poweroff' | 'reboot'): Promise<void> {
  await runTool('sync', [], { timeoutSeconds: 120 });
  if (next === 'poweroff' && (await askKernel('o'))) await sleep(KERNEL_MS);
  // Returns only when it could not be done; then a reset starts the same system.
  if (next === 'reboot' && (await kernelIsLoaded())) await runTool('kexec', ['-e'], { timeoutSeconds: 30 });
  await runTool('systemctl', [next, '--force', '--force'], { timeoutSeconds: 20 });
  // systemctl failed.
  await askKernel(next === 'poweroff' ? 'o' : 'b');
}

/** What the kernel needs to stop its devices and be gone. */
const KERNEL_MS = 20_000;

/**
 * sysrq (Linux, admin-guide/sysrq): `o` stops the devices and switches off, as systemctl would have it done, without the third of
 * a second that starting it takes a slow core; `b` resets at once. False where the kernel takes no such word.
 */
async function askKernel(word: 'o' | 'b'): Promise<boolean> {
  return writeFile('/proc/sysrq-trigger', word).then(
    () => true,
    () => false,
  );
}
