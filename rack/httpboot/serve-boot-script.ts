import { randomBytes } from 'node:crypto';
import { decideBoot } from '../boot/decide-boot.ts';
import { ephemeralScript, LOCAL_SCRIPT, POWEROFF_SCRIPT, waitScript } from '../boot/ipxe-script.ts';
import { signTicket } from '../identity/ticket.ts';
import type { BootPlane } from './boot-plane.ts';

/** Who asks for a script: `host` is our own address it reached; `claimedMac` stands in the URL and proves nothing. */
export interface ScriptAsker {
  address: string;
  host: string;
  leasedMac: string | null;
  claimedMac: string | null;
}

/** The script for one machine, with a fresh ticket when it is to boot the ephemeral system. */
export function bootScriptFor(plane: BootPlane, asker: ScriptAsker, now: number): string {
  const { leasedMac: mac, host } = asker;
  const rackUrl = `http://${host}:${plane.ports.http}`;
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
      return waitScript(rackUrl, decision.why);
    case 'local':
      note('boot.script', `boot from the local disk: ${decision.why}`);
      return LOCAL_SCRIPT;
    case 'poweroff':
      note('boot.script', 'power off');
      return POWEROFF_SCRIPT;
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
      const agentUrl = `https://${host}:${plane.ports.https}`;
      const { image, options } = decision;
      return ephemeralScript({ image, rackUrl, agentUrl, pin: plane.pin, ticket, mac: leased, options });
    }
  }
}
