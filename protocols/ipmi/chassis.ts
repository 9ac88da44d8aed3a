import { IpmiFailure } from './failure.ts';
import { NETFN } from './message.ts';
import type { IpmiSession } from './session.ts';

/** Chassis commands: IPMI 2.0 chapter 28. All throw IpmiFailure. */

export interface ChassisStatus {
  on: boolean;
  overload: boolean;
  interlock: boolean;
  powerFault: boolean;
  controlFault: boolean;
}

export async function chassisStatus(session: IpmiSession): Promise<ChassisStatus> {
  const data = await session.request(NETFN.chassis, 0x01, Buffer.alloc(0), 'get chassis status');
  const state = data[0];
  if (state === undefined) throw new IpmiFailure('fatal', 'chassis status is empty');
  const bit = (n: number) => (state & (1 << n)) !== 0;
  return { on: bit(0), overload: bit(1), interlock: bit(2), powerFault: bit(3), controlFault: bit(4) };
}

const CONTROL = { off: 0, on: 1, cycle: 2, reset: 3, soft: 5 } as const;
export type ChassisControl = keyof typeof CONTROL;

/** `soft` asks the operating system by ACPI; it may take its time or ignore it. */
export async function chassisControl(session: IpmiSession, action: ChassisControl): Promise<void> {
  await session.request(NETFN.chassis, 0x02, Buffer.from([CONTROL[action]]), `chassis control: ${action}`);
}

export interface BootDevice {
  device: 'pxe' | 'disk';
  efi: boolean;
}

const DEVICE = { pxe: 0x04, disk: 0x08 } as const;
const VALID = 0x80;
const EFI = 0x20;

/**
 * Arms the device for the next boot only. First asks the BMC not to forget it after 60 seconds (parameter 3, bit 3);
 * BMCs that do not know that parameter lose nothing by our asking.
 */
export async function setBootDeviceOnce(session: IpmiSession, boot: BootDevice): Promise<void> {
  await session.request(NETFN.chassis, 0x08, Buffer.from([3, 0x08]), 'keep boot flags').catch((error: unknown) => {
    if (!(error instanceof IpmiFailure) || error.failure !== 'action') throw error;
  });
  const flags = VALID | (boot.efi ? EFI : 0);
  await session.request(
    NETFN.chassis,
    0x08,
    Buffer.from([5, flags, DEVICE[boot.device], 0, 0, 0]),
    `set boot device: ${boot.device}${boot.efi ? ' (EFI)' : ''}`,
  );
}
