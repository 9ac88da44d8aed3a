import type { BootTarget, MachineState } from './model.ts';

/**
 * What a network boot of the machine is answered with. NEW boots the ephemeral system so that it can enlist again;
 * whatever is in nobody's hands and has no work is told to switch itself off.
 */
export function bootTargetOf(machine: MachineState): BootTarget {
  switch (machine.status) {
    case 'NEW':
    case 'COMMISSIONING':
    case 'DISK_ERASING':
    case 'ENTERING_RESCUE_MODE':
    case 'RESCUE_MODE':
    case 'TESTING':
      return 'ephemeral';
    case 'RELEASING':
      // Release scripts run in the ephemeral system; after them only the power-off is left.
      return machine.attempt?.phase === 'power-off' ? 'poweroff' : 'ephemeral';
    case 'DEPLOYING':
      return machine.netboot ? 'ephemeral' : 'local';
    case 'DEPLOYED':
      return machine.ephemeralDeploy ? 'ephemeral' : 'local';
    case 'EXITING_RESCUE_MODE':
      // A deployed machine is power-cycled back into its own system.
      return machine.previousStatus === 'DEPLOYED' && !machine.ephemeralDeploy ? 'local' : 'poweroff';
    case 'READY':
    case 'ALLOCATED':
    case 'RESERVED':
    case 'BROKEN':
    case 'MISSING':
    case 'RETIRED':
    case 'FAILED_COMMISSIONING':
    case 'FAILED_DEPLOYMENT':
    case 'FAILED_RELEASING':
    case 'FAILED_DISK_ERASING':
    case 'FAILED_ENTERING_RESCUE_MODE':
    case 'FAILED_EXITING_RESCUE_MODE':
    case 'FAILED_TESTING':
      return 'poweroff';
  }
}
