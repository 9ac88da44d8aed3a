import { runTool } from '../tool.ts';
import { type Builtin, failed, passed } from './builtin.ts';
import { chosenDisk } from './disk-parameter.ts';

/** badblocks (read only) and badblocks-destructive (write, read back). The runner's deadline bounds it. */
export function badblocks(destructive: boolean): Builtin {
  return async (context) => {
    const disk = await chosenDisk(context);
    if (disk === null) return failed(2, '', 'The disk this test is for is not here.\n');
    const mode = destructive ? ['-w'] : [];
    const args = ['-b', '4096', '-v', '-f', ...mode, disk];
    const run = await runTool('badblocks', args, { timeoutSeconds: context.item.timeoutSeconds });
    const counts = /(\d+) bad blocks found\. \((\d+)\/(\d+)\/(\d+) errors\)/.exec(run.combined);
    const [bad = '0', read = '0', write = '0', comparison = '0'] = counts?.slice(1) ?? [];
    const values = `badblocks: ${bad}, read_errors: ${read}, write_errors: ${write}, comparison_errors: ${comparison}`;
    const good = run.exitStatus === 0 && bad === '0';
    return {
      ...(good ? passed(run.combined) : failed(run.exitStatus || 1, run.combined, '')),
      result: `{results: {${values}}}\n`,
    };
  };
}
