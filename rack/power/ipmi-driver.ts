import { IPMI } from '@ingot/core/power/ipmi.ts';
import { chassisControl, chassisStatus, setBootDeviceOnce } from '@ingot/protocols/ipmi/chassis.ts';
import { DEFAULT_PATIENCE } from '@ingot/protocols/ipmi/exchange.ts';
import { IpmiFailure } from '@ingot/protocols/ipmi/failure.ts';
import { type IpmiSession, withSession } from '@ingot/protocols/ipmi/session.ts';
import { type BootChoice, type Parameters, type PowerCall, type PowerDriver, PowerFailure } from './driver.ts';
import { ipmiTarget } from './ipmi-target.ts';

export const ipmiDriver: PowerDriver = {
  schema: IPMI,
  retryWaitsMs: [4000, 8000, 16_000, 32_000],

  query: (parameters, call) =>
    inSession(parameters, call, async (session) => ((await chassisStatus(session)).on ? 'on' : 'off')),

  on: (parameters, boot, call) =>
    inSession(parameters, call, async (session) => {
      if ((await chassisStatus(session)).on) return 'already';
      await armBootDevice(session, parameters, boot, call);
      await chassisControl(session, 'on');
      call.note('BMC accepted power on');
      return 'sent';
    }),

  off: (parameters, soft, call) =>
    inSession(parameters, call, async (session) => {
      if (!(await chassisStatus(session)).on) return 'already';
      await chassisControl(session, soft ? 'soft' : 'off');
      call.note(soft ? 'BMC accepted soft power off' : 'BMC accepted power off');
      return 'sent';
    }),
};

/**
 * Armed before each power on: some BMCs forget it after a boot, some after 60 s, ipmi_sim never. What the BMC says when
 * asked for it ("valid") is not worth asking. A BMC that refuses still gets its power on: the boot order may be right.
 */
async function armBootDevice(
  session: IpmiSession,
  parameters: Parameters,
  boot: BootChoice,
  call: PowerCall,
): Promise<void> {
  if (boot.from === null) return;
  const type = parameters.power_boot_type ?? 'auto';
  const efi = type === 'efi' || (type !== 'legacy' && boot.firmware === 'uefi');
  try {
    await setBootDeviceOnce(session, { device: boot.from === 'network' ? 'pxe' : 'disk', efi });
    call.note(`boot device for the next boot: ${boot.from}${efi ? ' (EFI)' : ''}`);
  } catch (error) {
    if (!(error instanceof IpmiFailure) || error.failure !== 'action') throw error;
    call.note(`boot device was not set: ${error.message}`);
  }
}

async function inSession<T>(
  parameters: Parameters,
  call: PowerCall,
  use: (session: IpmiSession) => Promise<T>,
): Promise<T> {
  const target = await ipmiTarget(parameters);
  try {
    return await withSession(target, use, DEFAULT_PATIENCE, call.signal);
  } catch (error) {
    if (!(error instanceof IpmiFailure)) throw error;
    if (error.message !== 'k_g invalid' || target.kg === null) throw new PowerFailure(error.failure, error.message);
  }
  // A K_g that was written down for a BMC that has none: nothing was sent yet, as the session did not stand.
  call.note('K_g was refused; trying without it');
  try {
    return await withSession({ ...target, kg: null }, use, DEFAULT_PATIENCE, call.signal);
  } catch (error) {
    throw error instanceof IpmiFailure ? new PowerFailure(error.failure, error.message) : error;
  }
}
