import type { RedfishPersona } from './persona.ts';

/** The machine behind the service. The same shape as the chassis of the simulated IPMI BMC, so that one machine has both. */
export interface RedfishChassis {
  status(): { on: boolean };
  /** Answered when this resolves; a rejection becomes a 500. */
  control(action: 'off' | 'on' | 'cycle' | 'reset' | 'diagnostic' | 'soft'): void | Promise<void>;
  /** The boot device for the next boot, or for all; null = back to the boot order. */
  setBoot(
    boot: { device: 'pxe' | 'disk' | 'cdrom' | 'setup' | 'other'; efi: boolean; persistent: boolean } | null,
  ): void;
}

export interface RedfishSystem {
  id: string;
  uuid: string;
  chassis: RedfishChassis;
  persona?: RedfishPersona;
}

export interface BootOverride {
  enabled: string;
  target: string;
  mode: string;
}

/** A system's part that the service remembers. `revision` makes the ETag. */
export interface SystemState {
  system: RedfishSystem;
  persona: RedfishPersona;
  boot: BootOverride;
  revision: number;
}

export const etagOf = (state: SystemState) => `"${state.system.id}-${state.revision}"`;

const pathOf = (state: SystemState) => `/redfish/v1/Systems/${state.system.id}${state.persona.slashes ? '/' : ''}`;

/** The ComputerSystem resource (DSP0268) as the persona's vendor would give it. `powerState` null: what the chassis says. */
export function systemBody(state: SystemState, powerState: string | null): Record<string, unknown> {
  const { system, persona } = state;
  const own = pathOf(state).replace(/\/$/, '');
  const slash = persona.slashes ? '/' : '';
  return {
    '@odata.id': `${own}${slash}`,
    '@odata.type': '#ComputerSystem.v1_13_0.ComputerSystem',
    ...(persona.etag === 'none' ? {} : { '@odata.etag': etagOf(state) }),
    Id: system.id,
    Name: 'System',
    SystemType: 'Physical',
    Manufacturer: persona.manufacturer,
    Model: persona.model,
    UUID: system.uuid,
    PowerState: powerState ?? (system.chassis.status().on ? 'On' : 'Off'),
    Status: { State: 'Enabled', Health: 'OK' },
    Boot: bootBody(state),
    ...(persona.settingsObject ? { '@Redfish.Settings': { SettingsObject: { '@odata.id': `${own}/Settings` } } } : {}),
    Actions: {
      '#ComputerSystem.Reset': {
        target: `${own}/Actions/ComputerSystem.Reset${slash}`,
        ...(persona.resetTypesIn === 'action' ? { 'ResetType@Redfish.AllowableValues': persona.resetTypes } : {}),
        ...(persona.resetTypesIn === 'action-info' ? { '@Redfish.ActionInfo': `${own}/ResetActionInfo` } : {}),
      },
    },
  };
}

function bootBody(state: SystemState): Record<string, unknown> {
  const { boot, persona } = state;
  return {
    BootSourceOverrideEnabled: boot.enabled,
    BootSourceOverrideTarget: boot.target,
    'BootSourceOverrideTarget@Redfish.AllowableValues': persona.bootTargets,
    ...(persona.bootMode === 'none' ? {} : { BootSourceOverrideMode: boot.mode }),
  };
}

/** The settings object of a persona that has one. */
export function settingsBody(state: SystemState): Record<string, unknown> {
  return {
    '@odata.id': `${pathOf(state)}/Settings`,
    '@odata.etag': etagOf(state),
    Id: 'Settings',
    Boot: bootBody(state),
  };
}

export function actionInfoBody(state: SystemState): Record<string, unknown> {
  return {
    '@odata.id': `${pathOf(state)}/ResetActionInfo`,
    Id: 'ResetActionInfo',
    Parameters: [{ Name: 'ResetType', Required: true, DataType: 'String', AllowableValues: state.persona.resetTypes }],
  };
}

export type Outcome = { status: number; message?: string };

const DEVICES: ReadonlyMap<string, 'pxe' | 'disk' | 'cdrom' | 'setup'> = new Map([
  ['Pxe', 'pxe'],
  ['UefiHttp', 'pxe'],
  ['Hdd', 'disk'],
  ['Cd', 'cdrom'],
  ['BiosSetup', 'setup'],
]);

/** A PATCH of `Boot`, refused or altered as the persona's vendor does. */
export function changeBoot(
  state: SystemState,
  change: ReadonlyMap<string, unknown>,
  ifMatch: string | undefined,
): Outcome {
  const { persona, boot } = state;
  if (persona.etag === 'required' && ifMatch === undefined) return { status: 428, message: 'If-Match is needed.' };
  if (persona.etag !== 'none' && ifMatch !== undefined && ifMatch !== etagOf(state)) {
    return { status: 412, message: 'The resource has changed.' };
  }
  const wanted = (name: string, before: string) => {
    const value = change.get(name);
    return typeof value === 'string' ? value : before;
  };
  const named = change.has('BootSourceOverrideMode');
  if (named && (persona.bootMode === 'read-only' || persona.bootMode === 'none')) {
    return { status: 400, message: 'BootSourceOverrideMode cannot be written.' };
  }
  const target = wanted('BootSourceOverrideTarget', boot.target);
  if (!persona.bootTargets.includes(target)) return { status: 400, message: `${target} is not allowed.` };
  const mode = wanted('BootSourceOverrideMode', boot.mode);
  const kept = persona.bootMode === 'reverts' && !named ? 'Legacy' : mode;
  state.boot = { enabled: wanted('BootSourceOverrideEnabled', boot.enabled), target, mode: kept };
  state.revision += 1;
  const armed = state.boot.enabled !== 'Disabled' && target !== 'None';
  const device = DEVICES.get(target) ?? 'other';
  const efi = state.boot.mode === 'UEFI';
  state.system.chassis.setBoot(armed ? { device, efi, persistent: state.boot.enabled === 'Continuous' } : null);
  return { status: persona.settingsObject ? 202 : 204 };
}

/** A Reset. `deaf`: accepted, and nothing happens. */
export async function reset(state: SystemState, type: string, deaf: boolean): Promise<Outcome> {
  const { chassis } = state.system;
  const { on } = chassis.status();
  if (!state.persona.resetTypes.includes(type)) return { status: 400, message: `${type} is not allowed.` };
  const action = actionOf(type, on);
  if (action === null) return { status: 409, message: `The system is ${on ? 'on' : 'off'} already.` };
  if (deaf) return { status: 204 };
  await chassis.control(action);
  if (action !== 'off' && action !== 'soft' && state.boot.enabled === 'Once') {
    state.boot = { ...state.boot, enabled: 'Disabled', target: 'None' };
    state.revision += 1;
  }
  return { status: 204 };
}

/** Null: there is nothing to do, which services refuse as a conflict. */
function actionOf(type: string, on: boolean): Parameters<RedfishChassis['control']>[0] | null {
  switch (type) {
    case 'On':
    case 'ForceOn':
      return on ? null : 'on';
    case 'ForceOff':
      return on ? 'off' : null;
    case 'GracefulShutdown':
      return on ? 'soft' : null;
    case 'PushPowerButton':
      return on ? 'soft' : 'on';
    case 'PowerCycle':
      return on ? 'cycle' : null;
    case 'Nmi':
      return on ? 'diagnostic' : null;
    default:
      return on ? 'reset' : null;
  }
}
