import { IPMI } from '@ingot/core/power/ipmi.ts';
import {
  type ChassisControl,
  CONTROL_PATIENCE,
  type ControlPatience,
  chassisControl,
  chassisStatus,
  setBootDeviceOnce,
} from '@ingot/protocols/ipmi/chassis.ts';
import { DEFAULT_PATIENCE, type Patience } from '@ingot/protocols/ipmi/exchange.ts';
import { IpmiFailure } from '@ingot/protocols/ipmi/failure.ts';
import { type IpmiSession, type RaisePrivilege, withSession } from '@ingot/protocols/ipmi/session.ts';
import { type BootChoice, type Parameters, type PowerCall, type PowerDriver, PowerFailure } from './driver.ts';
import { ipmiTarget } from './ipmi-target.ts';

export interface IpmiDriverOptions {
  patience: Patience;
  control: ControlPatience;
  retryWaitsMs: readonly number[];
}

export function createIpmiDriver(options: IpmiDriverOptions): PowerDriver {
  const inSession: InSession = (parameters, call, use, raise = 'first') =>
    runSession(parameters, call, options.patience, use, raise);
  const control = (session: IpmiSession, action: ChassisControl, call: PowerCall) =>
    controlNoted(session, action, options.control, call);
  return {
    schema: IPMI,
    retryWaitsMs: options.retryWaitsMs,

    query: (parameters, call) =>
      inSession(
        parameters,
        call,
        async (session) => ((await chassisStatus(session)).on ? 'on' : 'off'),
        'when refused',
      ),

    on: (parameters, boot, call) =>
      inSession(parameters, call, async (session) => {
        if ((await chassisStatus(session)).on) return 'already';
        await armBootDevice(session, parameters, boot, call);
        await control(session, 'on', call);
        return 'sent';
      }),

    off: (parameters, soft, call) =>
      inSession(parameters, call, async (session) => {
        if (!(await chassisStatus(session)).on) return 'already';
        await control(session, soft ? 'soft' : 'off', call);
        return 'sent';
      }),
  };
}

export const ipmiDriver = createIpmiDriver({
  patience: DEFAULT_PATIENCE,
  control: CONTROL_PATIENCE,
  retryWaitsMs: [4000, 8000, 16_000, 32_000],
});

type InSession = <T>(
  parameters: Parameters,
  call: PowerCall,
  use: (session: IpmiSession) => Promise<T>,
  raise?: RaisePrivilege,
) => Promise<T>;

async function controlNoted(
  session: IpmiSession,
  action: ChassisControl,
  patience: ControlPatience,
  call: PowerCall,
): Promise<void> {
  const name = action === 'soft' ? 'soft power off' : `power ${action}`;
  switch (await chassisControl(session, action, patience)) {
    case 'accepted':
      call.note(`BMC accepted ${name}`);
      return;
    case 'seen':
      call.note(`BMC did not answer to ${name}, but has done it`);
      return;
    case 'unanswered':
      call.note(`BMC did not answer to ${name}; waiting for its effect`);
      return;
  }
}

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

async function runSession<T>(
  parameters: Parameters,
  call: PowerCall,
  patience: Patience,
  use: (session: IpmiSession) => Promise<T>,
  raise: RaisePrivilege,
): Promise<T> {
  const target = await ipmiTarget(parameters);
  try {
    return await withSession(target, use, patience, call.signal, raise);
  } catch (error) {
    if (!(error instanceof IpmiFailure)) throw error;
    if (error.message !== 'k_g invalid' || target.kg === null) throw new PowerFailure(error.failure, error.message);
  }
  // A K_g that was written down for a BMC that has none: nothing was sent yet, as the session did not stand.
  call.note('K_g was refused; trying without it');
  try {
    return await withSession({ ...target, kg: null }, use, patience, call.signal, raise);
  } catch (error) {
    throw error instanceof IpmiFailure ? new PowerFailure(error.failure, error.message) : error;
  }
}
