import { runTool } from '../tool.ts';
import { type Builtin, passed } from './builtin.ts';

/**
 * maas-capture-lldpd: the neighbours heard so far. Switches speak every 30 s; waiting for them would cost every machine a
 * minute, so this runs last and does not wait longer than the other scripts took.
 */
export const captureLldpd: Builtin = async () => {
  const heard = await runTool('lldpctl', ['-f', 'xml'], { timeoutSeconds: 10 });
  return heard.exitStatus === 0
    ? passed(heard.stdout)
    : passed('<?xml version="1.0" encoding="UTF-8"?>\n<lldp label="LLDP neighbors"/>\n');
};
