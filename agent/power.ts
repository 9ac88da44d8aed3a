import { writeFile } from 'node:fs/promises';
import { runTool } from './tool.ts';

/**
 * Leave at once: everything is written and unmounted by whoever worked, and this system is a copy in RAM, so nothing is shut
 * down in order. Does not return when it works.
 */
export async function leave(next: 'poweroff' | 'reboot'): Promise<void> {
  await runTool('sync', [], { timeoutSeconds: 120 });
  await runTool('systemctl', [next, '--force', '--force'], { timeoutSeconds: 20 });
  // systemctl failed: ask the kernel itself.
  await writeFile('/proc/sysrq-trigger', next === 'poweroff' ? 'o' : 'b');
}
