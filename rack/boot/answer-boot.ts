import { randomBytes } from 'node:crypto';
import type { BootPlane } from '../httpboot/boot-plane.ts';
import { signTicket } from '../identity/ticket.ts';
import { decideBoot } from './decide-boot.ts';
import type { EphemeralBoot } from './ipxe-script.ts';

/** Who asks what to boot: `host` is our own address it reached; `claimedMac` stands in the name it asks for and proves nothing. */
export interface BootAsker {
  address: string;
  host: string;
  leasedMac: string | null;
  claimedMac: string | null;
}

/** What to boot, before it is put in the words of iPXE or GRUB. */
export type BootAnswer =
  | { kind: 'ephemeral'; boot: EphemeralBoot }
  | { kind: 'local' }
  | { kind: 'poweroff' }
  | { kind: 'wait'; why: string };

/** Decides for one machine, signs a fresh ticket when it is to boot the ephemeral system, and notes it all as evidence. */
export function answerBoot(plane: BootPlane, asker: BootAsker, now: number): BootAnswer {
  const { leasedMac: mac, host } = asker;
  const decision = decideBoot(plane.snapshot.current(), mac, mac === null ? null : plane.snapshot.machineOf(mac));
  const { machine } = decision;
  const note = (kind: 'boot.script' | 'boot.refused', text: string) =>
    plane.evidence.add({
      kind,
      mac: mac ?? '',
      address: asker.address,
      systemId: machine?.systemId ?? null,
      attempt: machine?.attempt ?? null,
      text,
      data: { decision: decision.kind, ...(asker.claimedMac ? { claimedMac: asker.claimedMac } : {}) },
    });
  switch (decision.kind) {
    case 'wait':
      note('boot.refused', `no boot script yet: ${decision.why}`);
      return { kind: 'wait', why: decision.why };
    case 'local':
      note('boot.script', `boot from the local disk: ${decision.why}`);
      return { kind: 'local' };
    case 'poweroff':
      note('boot.script', 'power off');
      return { kind: 'poweroff' };
    case 'ephemeral': {
      const leased = mac ?? '';
      const ticket = signTicket(plane.identity, {
        machine: machine?.systemId ?? null,
        attempt: machine?.attempt ?? null,
        mac: leased,
        nonce: randomBytes(16).toString('base64url'),
        issued: now,
      });
      note('boot.script', machine ? `ephemeral system for ${machine.hostname}` : 'ephemeral system to enlist');
      const { image, options } = decision;
      const rackUrl = `http://${host}:${plane.ports.http}`;
      const agentUrl = `https://${host}:${plane.ports.https}`;
      return { kind: 'ephemeral', boot: { image, rackUrl, agentUrl, pin: plane.pin, ticket, mac: leased, options } };
    }
  }
}
