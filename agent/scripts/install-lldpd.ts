import { mkdir } from 'node:fs/promises';
import { runTool } from '../tool.ts';
import { type Builtin, failed, passed } from './builtin.ts';
import { lldpdListens } from './capture-lldpd.ts';

/** 20-maas-01-install-lldpd: the daemon is in the image; it listens from here on and maas-capture-lldpd reads what it heard. */
export const installLldpd: Builtin = async () => {
  await mkdir('/run/lldpd', { recursive: true });
  // -r: only listen; a switch need not know of a machine that is gone in a minute. -L '': there is nothing to configure, and
  // the program for it costs a slow core half a second.
  const started = await runTool('lldpd', ['-r', '-c', '-e', '-f', '-s', '-L', ''], { timeoutSeconds: 20 });
  lldpdListens();
  return started.exitStatus === 0 ? passed('lldpd listens.\n') : failed(1, '', started.combined);
};
