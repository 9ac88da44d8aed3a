/**
 * Where a simulated machine hangs for good: before it asks for an address ('dhcp'), for its boot program, in fetching the
 * system image ('kernel'), before its agent speaks ('agent'), in a script or an installation step of that name, before
 * the installed system starts ('reboot'), or before cloud-init's last word ('first-boot').
 */
export type StopPoint = 'dhcp' | 'boot-program' | 'kernel' | 'agent' | 'reboot' | 'first-boot' | (string & {});

/** What is wrong with a machine. May be changed at any time; it counts from the next step on. */
export interface Faults {
  stopAt?: StopPoint;
  /** This script ends with exit status 1. */
  failScript?: string;
  /** 'dead': the BMC answers nobody. 'wrong-password': it refuses every login. */
  bmc?: 'dead' | 'wrong-password';
}
