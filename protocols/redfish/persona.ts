/**
 * How a vendor's Redfish service looks and behaves, as far as power control meets it. The values are those of the recorded
 * resources in testdata/, whose test compares them; what no record shows names its source here.
 */
export interface RedfishPersona {
  manufacturer: string;
  model: string;
  resetTypes: readonly string[];
  bootTargets: readonly string[];
  /** `required`: a change without If-Match is refused with 428. `given`: a wrong one is refused with 412. */
  etag: 'none' | 'given' | 'required';
  /**
   * What becomes of BootSourceOverrideMode: `kept`, `reverts` to Legacy when a change does not name it, `read-only` (a change
   * that names it is refused with 400), or the system has none.
   */
  bootMode: 'kept' | 'reverts' | 'read-only' | 'none';
  /** Boot overrides are taken at a settings object alone. */
  settingsObject: boolean;
  /** Resources are known only with a slash at the end. */
  slashes: boolean;
  /** Where the ResetTypes are said. */
  resetTypesIn: 'action' | 'action-info' | 'nowhere';
}

export type PersonaName = 'generic' | 'dell' | 'hpe' | 'supermicro' | 'lenovo' | 'lenovo-amd';

const GENERIC: RedfishPersona = {
  manufacturer: 'Ingot',
  model: 'Simulated machine',
  resetTypes: ['On', 'ForceOff', 'GracefulShutdown', 'GracefulRestart', 'ForceRestart', 'PowerCycle', 'Nmi', 'ForceOn'],
  bootTargets: ['None', 'Pxe', 'Hdd', 'Cd', 'BiosSetup', 'UefiHttp'],
  etag: 'given',
  bootMode: 'kept',
  settingsObject: false,
  slashes: false,
  resetTypesIn: 'action',
};

export const PERSONAS: Readonly<Record<PersonaName, RedfishPersona>> = {
  generic: GENERIC,
  dell: {
    ...GENERIC,
    manufacturer: 'Dell Inc.',
    model: 'PowerEdge R6715',
    resetTypes: [
      'On',
      'ForceOff',
      'ForceRestart',
      'GracefulRestart',
      'GracefulShutdown',
      'PushPowerButton',
      'Nmi',
      'PowerCycle',
    ],
    bootTargets: ['None', 'Pxe', 'Floppy', 'Cd', 'Hdd', 'BiosSetup', 'Utilities', 'UefiTarget', 'SDCard', 'UefiHttp'],
    // iDRAC 10: boot overrides go to the settings object.
    settingsObject: true,
    etag: 'none',
  },
  hpe: {
    ...GENERIC,
    manufacturer: 'HPE',
    model: 'ProLiant DL360 Gen10',
    resetTypes: ['On', 'ForceOff', 'ForceRestart', 'Nmi', 'PushPowerButton'],
    // ansible-collections/community.general #3509: naming the mode spoils the change.
    bootMode: 'read-only',
    slashes: true,
  },
  supermicro: {
    ...GENERIC,
    manufacturer: 'Supermicro',
    model: 'AS -1015CS-TNR-EU',
    resetTypes: [
      'On',
      'ForceOff',
      'GracefulShutdown',
      'GracefulRestart',
      'ForceRestart',
      'Nmi',
      'ForceOn',
      'PowerCycle',
    ],
    bootTargets: ['None', 'Pxe', 'Floppy', 'Cd', 'Usb', 'Hdd', 'BiosSetup', 'Floppy', 'UsbCd', 'Diags', 'UefiBootNext'],
    // DMTF/Redfishtool #106.
    bootMode: 'reverts',
    resetTypesIn: 'action-info',
  },
  lenovo: {
    ...GENERIC,
    manufacturer: 'Lenovo',
    model: 'ThinkSystem SR650',
    resetTypes: ['On', 'ForceOff', 'GracefulShutdown', 'GracefulRestart', 'ForceRestart', 'Nmi', 'ForceOn'],
    bootTargets: ['None', 'Pxe', 'Cd', 'Hdd', 'BiosSetup'],
  },
  // stmcginnis/gofish #171: an AMI service that wants If-Match with every change.
  'lenovo-amd': { ...GENERIC, manufacturer: 'Lenovo', model: 'ThinkSystem SR655', etag: 'required' },
};
