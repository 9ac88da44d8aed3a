import type { BootEntry, BootImage, Snapshot } from '@ingot/contract/rack.ts';

/** What a machine that asks for its boot script gets, and why. */
export type BootDecision =
  | { kind: 'ephemeral'; machine: BootEntry | null; image: BootImage; options: string }
  | { kind: 'local'; machine: BootEntry | null; why: string }
  | { kind: 'poweroff'; machine: BootEntry }
  /** Ask again in a moment. */
  | { kind: 'wait'; machine: BootEntry | null; why: string };

/** Pure. `mac` is the leased one: null = the asking address holds no lease of ours, so nothing is believed. */
export function decideBoot(snapshot: Snapshot | null, mac: string | null, machine: BootEntry | null): BootDecision {
  if (mac === null)
    return { kind: 'wait', machine: null, why: 'this address has no lease of this rack, or another card asks with it' };
  if (snapshot === null) return { kind: 'wait', machine: null, why: 'the rack has not heard from its region yet' };
  if (machine === null && !snapshot.enlist)
    return { kind: 'local', machine, why: 'unknown machine, enlistment is off' };
  if (machine?.target === 'local') return { kind: 'local', machine, why: 'deployed or at rest' };
  if (machine?.target === 'poweroff') return { kind: 'poweroff', machine };
  if (machine !== null && machine.attempt === null && machine.enlist !== true) {
    return { kind: 'wait', machine, why: 'nothing is being done with this machine' };
  }
  const architecture = architectureOf(machine?.architecture ?? '');
  const image = snapshot.ephemeral.find((each) => architectureOf(each.architecture) === architecture);
  if (!image) return { kind: 'wait', machine, why: `no ephemeral image for ${architecture} yet` };
  const options = [snapshot.kernelOptions, machine?.kernelOptions ?? ''].join(' ').trim();
  return { kind: 'ephemeral', machine, image, options };
}

/** `amd64/generic` → `amd64`; unknown machines are taken for amd64, the only one that is served. */
const architectureOf = (text: string) => text.split('/')[0] || 'amd64';
