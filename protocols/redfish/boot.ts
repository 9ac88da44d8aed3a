import { RedfishFailure } from './failure.ts';
import { quirksOf } from './quirks.ts';
import type { RedfishService } from './service.ts';
import { type ComputerSystem, readSystem } from './system.ts';

export interface BootWish {
  device: 'network' | 'disk';
  /** `auto`: as the machine is set up. */
  firmware: 'bios' | 'uefi' | 'auto';
}

/** Boot targets that do it, best first. UefiHttp only where there is no PXE. */
const TARGETS = { network: ['Pxe', 'UefiHttp'], disk: ['Hdd'] } as const;

const HTTP_PRECONDITION = [412, 428];

/**
 * Arms a boot device for the next boot alone, and reads back whether it was kept: some services say 200 and keep nothing
 * (bmc-toolbox/bmclib #459). Returns the target. Throws RedfishFailure; `action` when this service cannot or did not.
 */
export async function setBootOnce(service: RedfishService, system: ComputerSystem, wish: BootWish): Promise<string> {
  const target = targetFor(system, wish.device, service.host);
  const mode = modeFor(system, wish.firmware);
  const plain = { BootSourceOverrideEnabled: 'Once', BootSourceOverrideTarget: target };
  try {
    await patchBoot(service, system, mode === null ? plain : { ...plain, BootSourceOverrideMode: mode });
  } catch (error) {
    // Rather armed in the mode that the machine is in than not at all.
    if (mode === null || !(error instanceof RedfishFailure) || error.status !== 400) throw error;
    await patchBoot(service, system, plain);
  }
  // What went into a settings object shows at the system only after the next boot.
  if (system.settingsPath !== null) return target;
  const { boot } = await readSystem(service, system.path);
  if (boot.target === target && boot.enabled !== 'Disabled') return target;
  const found = `${boot.enabled || 'nothing'} ${boot.target}`.trim();
  throw new RedfishFailure('action', `${service.host} accepted boot from ${target} once, but shows ${found}`);
}

function targetFor(system: ComputerSystem, device: BootWish['device'], host: string): string {
  const offered = system.boot.targets;
  if (offered.length === 0) return TARGETS[device][0];
  const target = TARGETS[device].find((each) => offered.includes(each));
  if (target !== undefined) return target;
  throw new RedfishFailure('action', `${host} offers no boot from ${device}, only ${offered.join(', ')}`);
}

/** Null: the mode is not to be named. A system that shows no mode knows none. */
function modeFor(system: ComputerSystem, firmware: BootWish['firmware']): string | null {
  const { mode } = system.boot;
  const { bootMode } = quirksOf(system.manufacturer);
  if (mode === '' || bootMode === 'never') return null;
  const wanted = firmware === 'auto' ? mode : firmware === 'uefi' ? 'UEFI' : 'Legacy';
  return bootMode === 'always' || wanted !== mode ? wanted : null;
}

/**
 * With the ETag that the resource has now (428 where one is a must). After a 412 with the one it has got meanwhile, by its
 * strong name: some services give `W/"…"` and take `"…"` alone, as RFC 9110 section 13.1.1 has it. Then without: some
 * give ETags and take none (openstack/sushy does the same).
 */
async function patchBoot(service: RedfishService, system: ComputerSystem, boot: Record<string, string>): Promise<void> {
  const path = system.settingsPath ?? system.path;
  const now = async () => (await service.get(path)).etag;
  const etags = [
    async () => (system.settingsPath === null ? system.etag : await now()),
    async () => (await now())?.replace(/^W\//, '') ?? null,
    async () => null,
  ];
  let last: RedfishFailure | null = null;
  for (const etag of etags) {
    try {
      return await service.patch(path, { Boot: boot }, await etag());
    } catch (error) {
      if (!(error instanceof RedfishFailure) || error.status === null) throw error;
      if (!HTTP_PRECONDITION.includes(error.status)) throw error;
      last = error;
    }
  }
  throw last ?? new RedfishFailure('fatal', `${service.host} was not asked`);
}
