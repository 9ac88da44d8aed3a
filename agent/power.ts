import { writeFile } from 'node:fs/promises';
import { kernelIsLoaded } from './install/kexec.ts';
import { runTool } from './tool.ts';

/**
 * Leave at once: everything is written and unmounted by whoever worked, and this system is a copy in RAM, so nothing is shut
 * down in order. A reboot starts the kernel that was loaded for kexec, if one was. Does not return when it works.
 */
export async function leave(next: 'poweroff' | 'reboot'): Promise<void> {
  await runTool('sync', [], { timeoutSeconds: 120 });
  // Returns only when it could not be done; then a reset starts the same system.
  if (next === 'reboot' && (await kernelIsLoaded())) await runTool('kexec', ['-e'], { timeoutSeconds: 30 });
  await runTool('systemctl', [next, '--force', '--force'], { timeoutSeconds: 20 });
  // systemctl failed: ask the kernel itself.
  await writeFile('/proc/sysrq-trigger', next === 'poweroff' ? 'o' : 'b');
}
