import type { PowerErrorClass, PowerState } from '@ingot/core/machine/model.ts';
import type { PowerType } from '@ingot/core/power/schema.ts';

/** What a call to a BMC may use; `note` writes one readable line of evidence, never with secrets. */
export interface PowerCall {
  signal: AbortSignal;
  /** The machine that is meant: some services of a site are told. */
  systemId: string;
  /** SMBIOS UUID of the machine, where it is known. */
  hardwareUuid?: string | null;
  note(text: string): void;
}

export interface BootChoice {
  from: 'network' | 'disk' | null;
  firmware: 'bios' | 'uefi' | 'auto';
}

export type Parameters = Readonly<Record<string, string>>;

/**
 * Every operation is idempotent and throws PowerFailure. `already` = the machine was in that state, nothing was sent:
 * "on" never disturbs a running machine.
 */
export interface PowerDriver {
  schema: PowerType;
  /** Waits between tries, milliseconds; as many tries as waits. */
  retryWaitsMs: readonly number[];
  query(parameters: Parameters, call: PowerCall): Promise<PowerState>;
  /** Arms the boot device and switches on. */
  on(parameters: Parameters, boot: BootChoice, call: PowerCall): Promise<'already' | 'sent'>;
  off(parameters: Parameters, soft: boolean, call: PowerCall): Promise<'already' | 'sent'>;
}

/** Message prefixes that clients of MAAS know. */
const PREFIX: Record<PowerErrorClass, string> = {
  auth: "Could not authenticate to node's BMC: ",
  setting: 'Missing or invalid power setting: ',
  tool: 'Missing power tool: ',
  fatal: "Failed talking to node's BMC: ",
  connection: "Could not contact node's BMC: ",
  action: 'Failed to complete power action: ',
};

export class PowerFailure extends Error {
  readonly failure: PowerErrorClass;
  constructor(failure: PowerErrorClass, detail: string) {
    super(PREFIX[failure] + detail);
    this.name = 'PowerFailure';
    this.failure = failure;
  }
}

/** Only these may pass when tried again. */
export function isRetryable(failure: PowerErrorClass): boolean {
  return failure === 'connection' || failure === 'action';
}
