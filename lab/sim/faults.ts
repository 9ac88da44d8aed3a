/**
 * Where a simulated machine hangs for good: before it asks for an address ('dhcp'), for its boot program, in fetching the
 * system image ('kernel'), before its agent speaks ('agent'), in a script or an installation step of that name, before
 * the installed system starts ('reboot'), or before cloud-init's last word ('first-boot').
 */
export type StopPoint = 'dhcp' | 'boot-program' | 'kernel' | 'agent' | 'reboot' | 'first-boot' | (string & {});

/** What is wrong with a machine. May be changed at any time; it counts from the next step on. */
export interface Faults {
  stopAt?: StopPoint;
  /** This script fails, with exit status 1 unless told. */
  failScript?: string;
  scriptExit?: number;
  /** Bytes that the failing script prints; the agent keeps head and tail. */
  scriptPrints?: number;
  /** This installation step fails. */
  failStep?: string;
  failErase?: boolean;
  /** The agent dies at its n-th script or step of a boot, counted from 1. */
  agentDiesAt?: number;
  /** Everything that moves a disk's bytes takes this many times as long. */
  slowDisk?: number;
  /** 'dead': the BMC answers nobody. 'wrong-password': it refuses every login. */
  bmc?: 'dead' | 'wrong-password';
}
