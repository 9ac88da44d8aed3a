import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import path from 'node:path';
import { type Lab, startLab } from '../data-centre.ts';
import type { MachineSpec, MachineWish } from '../machine/spec.ts';
import { withLedger } from '../run/ledger.ts';
import { type Ingot, startIngot } from './ingot-processes.ts';

/** A data centre with one machine, and Ingot beside it; no image in its store yet. */
export interface Site {
  stateDir: string;
  lab: Lab;
  ingot: Ingot;
  spec: MachineSpec;
}

export interface SiteOptions {
  checkout: string;
  port: number;
  wish: MachineWish;
}

/** Everything the site made is gone when this returns, whether `live` threw or not. */
export async function withSite<T>(options: SiteOptions, live: (site: Site) => Promise<T>): Promise<T> {
  const { checkout, port, wish } = options;
  return withLedger(checkout, async (ledger) => {
    const stateDir = await mkdtemp('/var/tmp/ingot-site-');
    await ledger.addFolder(stateDir);
    const lab = await startLab({ checkout, ledger, stateDir: path.join(stateDir, 'lab'), machines: [wish] });
    const admin = { username: 'admin', password: randomBytes(9).toString('base64url') };
    const ingot = await startIngot({ checkout, ledger, lab, stateDir, port, admin });
    const [spec] = lab.machines;
    if (!spec) throw new Error('the lab has no machine');
    return live({ stateDir, lab, ingot, spec });
  });
}
