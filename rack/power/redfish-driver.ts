import { REDFISH } from '@ingot/core/power/redfish.ts';
import { parseServiceAddress } from '@ingot/protocols/redfish/address.ts';
import { setBootOnce } from '@ingot/protocols/redfish/boot.ts';
import { RedfishFailure } from '@ingot/protocols/redfish/failure.ts';
import { powerOf, resetSystem } from '@ingot/protocols/redfish/power.ts';
import { type RedfishService, type RedfishTarget, withService } from '@ingot/protocols/redfish/service.ts';
import { type ComputerSystem, findSystem } from '@ingot/protocols/redfish/system.ts';
import { type BootChoice, type Parameters, type PowerCall, type PowerDriver, PowerFailure } from './driver.ts';

export const redfishDriver: PowerDriver = {
  schema: REDFISH,
  // Long ones: a state is slow to change, and a Reset repeated meanwhile breaks slow BMCs. What changes at once is seen at once.
  retryWaitsMs: [4000, 8000, 12_000, 16_000],

  query: (parameters, call) =>
    onSystem(parameters, call, async (service, system) => {
      switch (powerOf(system)) {
        case 'on':
        case 'turning-off':
          return 'on';
        case 'off':
        case 'turning-on':
          return 'off';
        case 'unclear':
          throw unclear(service, system);
      }
    }),

  on: (parameters, boot, call) =>
    onSystem(parameters, call, async (service, system) => {
      const power = powerOf(system);
      if (power === 'on') return 'already';
      if (power === 'unclear') throw unclear(service, system);
      if (power === 'turning-on') {
        call.note('the machine is being switched on already');
        return 'sent';
      }
      await armBootDevice(service, system, boot, call);
      const type = await resetSystem(service, system, 'on');
      call.note(`BMC accepted power on (${type})`);
      return 'sent';
    }),

  off: (parameters, soft, call) =>
    onSystem(parameters, call, async (service, system) => {
      const power = powerOf(system);
      if (power === 'off') return 'already';
      if (power === 'unclear' && soft) throw unclear(service, system);
      // A shutdown on its way is let go on; only one that lasts too long is followed by a hard one.
      if (power === 'turning-off' && soft) return 'sent';
      const type = await resetSystem(service, system, soft ? 'soft' : 'off');
      call.note(`BMC accepted ${soft ? 'soft power off' : 'power off'} (${type})`);
      return 'sent';
    }),
};

function unclear(service: RedfishService, system: ComputerSystem): RedfishFailure {
  const state = system.powerState === '' ? 'nothing' : system.powerState;
  return new RedfishFailure('action', `${service.host} gives ${state} as the power state of ${system.id}`);
}

/** A BMC that does not arm the device still gets its power on: the boot order may be right. */
async function armBootDevice(
  service: RedfishService,
  system: ComputerSystem,
  boot: BootChoice,
  call: PowerCall,
): Promise<void> {
  if (boot.from === null) return;
  try {
    const target = await setBootOnce(service, system, { device: boot.from, firmware: boot.firmware });
    call.note(`boot device for the next boot: ${boot.from} (${target})`);
  } catch (error) {
    if (!(error instanceof RedfishFailure) || error.failure !== 'action') throw error;
    call.note(`boot device was not set: ${error.message}`);
  }
}

async function onSystem<T>(
  parameters: Parameters,
  call: PowerCall,
  use: (service: RedfishService, system: ComputerSystem) => Promise<T>,
): Promise<T> {
  const target = redfishTarget(parameters);
  const nodeId = parameters.node_id ?? '';
  try {
    return await withService(
      target,
      async (service) => use(service, await findSystem(service, { nodeId, uuid: call.hardwareUuid })),
      call.signal,
    );
  } catch (error) {
    throw error instanceof RedfishFailure ? new PowerFailure(error.failure, error.message) : error;
  }
}

/** MAAS's parameter names → what the client wants. Throws PowerFailure('setting') naming the field. */
function redfishTarget(parameters: Parameters): RedfishTarget {
  const address = parameters.power_address?.trim() ?? '';
  if (address === '') throw new PowerFailure('setting', 'power_address is empty');
  const origin = parseServiceAddress(address);
  // The value is not repeated: somebody may have written a password into it.
  if (origin === null)
    throw new PowerFailure('setting', 'power_address is no host name, address or URL without credentials');
  return {
    origin,
    user: parameters.power_user ?? '',
    password: parameters.power_pass ?? '',
    verify: parameters.power_verify_ssl === 'y',
  };
}
