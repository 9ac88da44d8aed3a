import type { PowerOutcome, PowerWork } from '@ingot/contract/rack.ts';
import type { Faults } from './faults.ts';

/** The power side of a simulated machine, as its BMC reaches it. */
export interface SimulatedBmc {
  address: string;
  user: string;
  password: string;
  faults(): Faults;
  isOn(): boolean;
  /** 'off' pulls the plug; what ran is gone. */
  set(power: 'on' | 'off'): Promise<void>;
}

const refusal = (kind: Extract<PowerOutcome, { ok: false }>['class'], message: string): PowerOutcome => ({
  ok: false,
  class: kind,
  message,
});

/** What the rack's driver would answer after talking to this BMC. "On" leaves a running machine alone. */
export async function callBmc(bmc: SimulatedBmc | undefined, work: PowerWork): Promise<PowerOutcome> {
  const address = work.parameters.power_address ?? '';
  if (bmc === undefined || bmc.faults().bmc === 'dead') {
    return refusal('connection', `no answer from ${address} in 1 s`);
  }
  const known = work.parameters.power_user === bmc.user && work.parameters.power_pass === bmc.password;
  if (!known || bmc.faults().bmc === 'wrong-password') {
    return refusal('auth', `RAKP 2: unauthorized name or password at ${address}`);
  }
  switch (work.action) {
    case 'query':
      break;
    case 'on':
      if (!bmc.isOn()) await bmc.set('on');
      break;
    case 'off':
      if (bmc.isOn()) await bmc.set('off');
      break;
    case 'cycle':
      if (bmc.isOn()) await bmc.set('off');
      await bmc.set('on');
      break;
  }
  return { ok: true, state: bmc.isOn() ? 'on' : 'off' };
}
