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

/** How long a chassis control that is not answered is waited for. */
export interface ControlPatience {
  /** Milliseconds for the answer alone: boards take up to seconds for it while they switch. */
  answerMs: number;
  /** Milliseconds between two looks at the power after that. */
  lookEveryMs: number;
  /** Milliseconds from sending until it counts as lost: the BMC talks and the power is as before. */
  lostAfterMs: number;
}

export const CONTROL_PATIENCE: ControlPatience = { answerMs: 3000, lookEveryMs: 700, lostAfterMs: 7000 };

/** The power that an action leads to; null where the power does not tell whether it was done. */
const LEADS_TO: Record<ChassisControl, boolean | null> = { on: true, off: false, cycle: null, reset: null, soft: null };

/**
 * `soft` asks the operating system by ACPI; it may take its time or ignore it.
 *
 * Sent once, never repeated over a late answer: a BMC that does everything it is told would do it twice, and of `cycle` and
 * `reset` twice is not the same as once. Without an answer the power is looked at: 'seen' = it is as wanted. A soft-off that
 * the BMC did not answer, though it answers else, is 'unanswered': only time tells. Otherwise throws
 * IpmiFailure('connection'); whoever tries again looks at the power first.
 */
export async function chassisControl(
  session: IpmiSession,
  action: ChassisControl,
  patience: ControlPatience = CONTROL_PATIENCE,
): Promise<'accepted' | 'seen' | 'unanswered'> {
  const what = `chassis control: ${action}`;
  const sent = session.sendOnce(NETFN.chassis, 0x02, Buffer.from([CONTROL[action]]), what);
  if (await sent.answered(patience.answerMs)) return 'accepted';
  const wanted = LEADS_TO[action];
  const looks = Math.max(1, Math.ceil((patience.lostAfterMs - patience.answerMs) / patience.lookEveryMs));
  for (let look = 0; look < looks; look++) {
    const { on } = await chassisStatus(session);
    if (await sent.answered(0)) return 'accepted';
    if (wanted === on) return 'seen';
    if (action === 'soft') return 'unanswered';
    if (await sent.answered(patience.lookEveryMs)) return 'accepted';
  }
  throw new IpmiFailure('connection', `no answer (${what}); not repeated, as it may have been done`);
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
