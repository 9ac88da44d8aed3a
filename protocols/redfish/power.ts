import { RedfishFailure } from './failure.ts';
import type { RedfishService } from './service.ts';
import type { ComputerSystem } from './system.ts';

/**
 * What a PowerState means. `turning-on` and `turning-off` are on their way: nothing is to be sent. `unclear`: the service
 * does not say at the moment (HPE: Reset, Unknown or null while the host restarts); ask again.
 */
export type SystemPower = 'on' | 'off' | 'turning-on' | 'turning-off' | 'unclear';

export function powerOf(system: Pick<ComputerSystem, 'powerState'>): SystemPower {
  switch (system.powerState) {
    case 'On':
    case 'Paused':
      return 'on';
    case 'Off':
      return 'off';
    case 'PoweringOn':
      return 'turning-on';
    case 'PoweringOff':
      return 'turning-off';
    default:
      return 'unclear';
  }
}

export type ResetWish = 'on' | 'off' | 'soft' | 'restart';

/**
 * ResetTypes that do it, best first (DSP0268 Resource.ResetType). PushPowerButton asks the operating system as a person at
 * the machine does (iLO 5 offers nothing else for it); it never stands for "on" or "off": pressed twice it undoes itself.
 */
const TYPES: Record<ResetWish, readonly [first: string, ...others: string[]]> = {
  on: ['On', 'ForceOn'],
  off: ['ForceOff'],
  soft: ['GracefulShutdown', 'PushPowerButton'],
  restart: ['ForceRestart', 'PowerCycle'],
};

/** The best that is offered; the commonest when the service does not say what it offers; null when it offers none. */
export function resetTypeFor(wish: ResetWish, offered: readonly string[]): string | null {
  if (offered.length === 0) return TYPES[wish][0];
  return TYPES[wish].find((type) => offered.includes(type)) ?? null;
}

/** Returns the ResetType that was accepted. Throws RedfishFailure. */
export async function resetSystem(service: RedfishService, system: ComputerSystem, wish: ResetWish): Promise<string> {
  const type = resetTypeFor(wish, system.reset.types);
  if (type === null) {
    const offers = system.reset.types.join(', ');
    throw new RedfishFailure(
      'action',
      `${service.host} offers no ${TYPES[wish].join(' or ')} for ${system.id}, only ${offers}`,
    );
  }
  await service.post(system.reset.target, { ResetType: type });
  return type;
}
