import { runTool } from '../tool.ts';
import { type Builtin, passed } from './builtin.ts';

const SECTIONS: [string, string, string[]][] = [
  ['KERNEL INFORMATION', 'uname', ['-a']],
  ['KERNEL COMMAND LINE', 'cat', ['/proc/cmdline']],
  ['CPU CORE COUNT AND MODEL', 'lscpu', []],
  ['MEMORY', 'cat', ['/proc/meminfo']],
  ['PCI DEVICES', 'lspci', ['-nnv']],
  ['USB DEVICES', 'lsusb', []],
  ['MODALIASES', 'sh', ['-c', 'find /sys/devices -name modalias -exec cat {} + | sort -u']],
  ['SERIAL PORTS', 'cat', ['/proc/tty/driver/serial']],
  ['NETWORK INTERFACES', 'ip', ['-o', 'link']],
  ['NETWORK CONFIGURATION', 'ip', ['address']],
  ['BLOCK DEVICES', 'lsblk', ['--exclude', '1,2,7', '--output', 'NAME,TYPE,SIZE,MODEL,SERIAL,ROTA']],
  ['DMI DATA', 'dmidecode', []],
  ['KERNEL MESSAGES', 'dmesg', []],
];

/** maas-support-info: what someone who is asked for help wants to see first. A tool that fails says so in its section. */
export const supportInfo: Builtin = async () => {
  const parts: string[] = [];
  for (const [title, program, args] of SECTIONS) {
    const run = await runTool(program, args, { timeoutSeconds: 30, keep: 256 * 1024 });
    parts.push(`-----BEGIN ${title}-----`, run.combined.trimEnd(), `-----END ${title}-----`, '');
  }
  return passed(parts.join('\n'));
};
