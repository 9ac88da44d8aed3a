import { generateKeyPairSync, sign } from 'node:crypto';
import type { TicketBody } from '@ingot/contract/agent.ts';
import { describe, expect, it } from 'vitest';
import { claimedRack, readTicket } from './ticket.ts';

const rack = generateKeyPairSync('ed25519');
const now = 1_764_000_000_000;
const body: TicketBody = {
  rack: 'rack1',
  machine: null,
  attempt: null,
  mac: '52:54:00:00:00:01',
  nonce: 'nonce-of-some-length',
  issued: now,
};

function ticket(change: Partial<TicketBody> = {}, key = rack.privateKey): string {
  const signed = Buffer.from(JSON.stringify({ ...body, ...change })).toString('base64url');
  return `${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`;
}

describe('boot ticket', () => {
  it('is read when the rack signed it', () => {
    expect(readTicket(ticket(), rack.publicKey, now)).toEqual(body);
    expect(claimedRack(ticket())).toBe('rack1');
  });

  it('is refused when altered, forged or broken', () => {
    const [, signature] = ticket().split('.');
    const altered = Buffer.from(JSON.stringify({ ...body, machine: 'abc123' })).toString('base64url');
    expect(readTicket(`${altered}.${signature}`, rack.publicKey, now)).toBeNull();
    expect(readTicket(ticket({}, generateKeyPairSync('ed25519').privateKey), rack.publicKey, now)).toBeNull();
    for (const broken of ['', 'a', 'a.b', 'a.b.c', `${ticket()}.x`, ticket().slice(0, -8)]) {
      expect(readTicket(broken, rack.publicKey, now)).toBeNull();
    }
  });

  it('ages only when no attempt bounds it', () => {
    const day = 24 * 60 * 60_000;
    expect(readTicket(ticket(), rack.publicKey, now + day - 1)).not.toBeNull();
    expect(readTicket(ticket(), rack.publicKey, now + day + 1)).toBeNull();
    const ofAttempt = ticket({ machine: 'abc123', attempt: 4 });
    expect(readTicket(ofAttempt, rack.publicKey, now + 3 * day)).not.toBeNull();
  });
});
