import { runTool } from '../tool.ts';
import { type Builtin, passed } from './builtin.ts';

/** maas-serial-ports: ports with a chip behind them. */
export const serialPorts: Builtin = async () => {
  const run = await runTool('sh', ['-c', 'grep -v "uart:unknown" /proc/tty/driver/serial || true'], {
    timeoutSeconds: 10,
  });
  return passed(run.stdout);
};
