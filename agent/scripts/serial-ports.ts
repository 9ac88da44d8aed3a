import { readText } from '../devices.ts';
import { type Builtin, passed } from './builtin.ts';

/** maas-serial-ports: ports with a chip behind them. */
export const serialPorts: Builtin = async () => {
  const lines = (await readText('/proc/tty/driver/serial')).split('\n');
  return passed(`${lines.filter((line) => !line.includes('uart:unknown')).join('\n')}\n`);
};
