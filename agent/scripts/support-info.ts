import { release, version } from 'node:os';
import { readText } from '../devices.ts';
import { runTool } from '../tool.ts';
import { type Builtin, passed } from './builtin.ts';

/** maas-support-info: what someone who is asked for help wants to see first. Most of it the inventory has already. */
export const supportInfo: Builtin = async ({ inventory }) => {
  const facts = await inventory();
  const [dmi, usb, kernel] = await Promise.all(
    ['dmidecode', 'lsusb', 'dmesg'].map(async (program) => {
      const run = await runTool(program, [], { timeoutSeconds: 30, keep: 256 * 1024 });
      return run.combined;
    }),
  );
  const ports = await readText('/proc/tty/driver/serial');
  const sections: [string, string | undefined][] = [
    ['KERNEL', `${release()} ${version()}`],
    ['KERNEL COMMAND LINE', facts.cmdline],
    ['PROCESSORS', facts.cpuinfo],
    ['MEMORY', facts.meminfo],
    ['PCI DEVICES', facts.lspci],
    ['USB DEVICES', usb],
    ['MODALIASES', facts.modaliases.join('\n')],
    ['SERIAL PORTS', ports],
    ['NETWORK', facts.ipAddress],
    ['BLOCK DEVICES', facts.lsblk],
    ['DMI DATA', dmi],
    ['KERNEL MESSAGES', kernel],
  ];
  const text = sections.map(
    ([title, body]) => `-----BEGIN ${title}-----\n${(body ?? '').trimEnd()}\n-----END ${title}-----\n`,
  );
  return passed(text.join('\n'));
};
