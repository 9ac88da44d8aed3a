import { setTimeout as sleep } from 'node:timers/promises';
import { runTool } from '../tool.ts';
import { type Builtin, failed, passed, skipped } from './builtin.ts';
import { chosenDisk } from './disk-parameter.ts';

/** Bits of smartctl(8)'s exit status that mean a bad disk: 3 failing now, 4 and 5 are warnings. Bit 0 to 2: the command failed. */
const FAILING = 0b0000_1000;
const POLL_MS = 10_000;

/** smartctl-validate: SMART's own verdict on one disk. */
export const smartctlValidate: Builtin = async (context) => {
  const disk = await chosenDisk(context);
  if (disk === null) return failed(2, '', 'The disk this test is for is not here.\n');
  const support = await runTool('smartctl', ['-i', disk], { timeoutSeconds: 60 });
  if (!/SMART support is:\s+(Available|Enabled)/.test(support.stdout) && !/NVMe Version/.test(support.stdout)) {
    return skipped(`${support.combined}\nThe disk has no SMART.\n`);
  }
  const health = await runTool('smartctl', ['-H', '-A', disk], { timeoutSeconds: 60 });
  const bad = (health.exitStatus & FAILING) !== 0 || /result: FAILED/.test(health.stdout);
  return bad ? failed(1, health.combined, 'SMART says the disk is failing.\n') : passed(health.combined);
};

/** smartctl-short, -long and -conveyance: start the disk's own test and wait for its end. The runner's deadline bounds it. */
export function smartctlSelfTest(kind: 'short' | 'long' | 'conveyance'): Builtin {
  return async (context) => {
    const disk = await chosenDisk(context);
    if (disk === null) return failed(2, '', 'The disk this test is for is not here.\n');
    const started = await runTool('smartctl', ['-t', kind, disk], { timeoutSeconds: 60 });
    if (!/Testing has begun|Self-test has begun/i.test(started.stdout)) {
      return skipped(`${started.combined}\nThe disk does not support this test.\n`);
    }
    const limit = (context.item.timeoutSeconds || 86_400) * 1000;
    for (let waited = 0; waited < limit; waited += POLL_MS) {
      await sleep(POLL_MS);
      const state = await runTool('smartctl', ['-a', disk], { timeoutSeconds: 60, keep: 512 * 1024 });
      if (/Self-test routine in progress|self-test in progress/i.test(state.stdout)) continue;
      const good = /(Completed without error|# ?1 .*Completed)/.test(state.stdout);
      return good
        ? passed(state.combined)
        : failed(1, state.combined, 'The self-test did not complete without error.\n');
    }
    return failed(124, started.combined, 'The self-test did not end in time.\n');
  };
}
