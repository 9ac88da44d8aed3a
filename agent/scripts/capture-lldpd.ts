import { setTimeout as sleep } from 'node:timers/promises';
import { runTool } from '../tool.ts';
import { type Builtin, passed } from './builtin.ts';

/** Switches speak every 30 s (IEEE 802.1AB, msgTxInterval). */
const INTERVAL_MS = 35_000;
const POLL_MS = 2000;
const NOTHING = '<?xml version="1.0" encoding="UTF-8"?>\n<lldp label="LLDP neighbors"/>\n';

/**
 * maas-capture-lldpd: the neighbours heard. It runs last and waits, at most one interval from when this boot's daemon began to
 * listen, while a port with a link has heard nobody; not in a virtual machine, whose host's bridge hands on no LLDP (802.1D
 * keeps its addresses back). What was not heard is said on standard error.
 */
export const captureLldpd: Builtin = async ({ inventory }) => {
  const { ethernet, cpuinfo } = await inventory();
  const linked = ethernet.filter(({ linkDetected }) => linkDetected).map(({ mac }) => mac);
  const patience = isVirtual(cpuinfo) ? 0 : INTERVAL_MS;
  for (;;) {
    const heard = await runTool('lldpctl', ['-f', 'xml'], { timeoutSeconds: 10 });
    const text = heard.exitStatus === 0 ? heard.stdout : NOTHING;
    const listened = performance.now() - listeningSince;
    const silent = linked.length - neighbours(text);
    if (silent <= 0) return passed(text);
    if (listened >= patience) {
      const note = `${silent} of ${linked.length} ports with a link heard no neighbour in ${Math.round(listened / 1000)} s.\n`;
      return { ...passed(text), stderr: note };
    }
    await sleep(Math.min(POLL_MS, patience - listened));
  }
};

/** Performance clock when the daemon was started, or else when this program was. */
let listeningSince = 0;
export function lldpdListens(): void {
  listeningSince = performance.now();
}

const neighbours = (xml: string) => xml.split(/<interface\s/).length - 1;

/** The processor says so itself (flag `hypervisor`, CPUID leaf 1). */
const isVirtual = (cpuinfo: string) => /^flags\s*:.* hypervisor\b/m.test(cpuinfo);
