import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkForwarded, signedText } from './forwarded.ts';

const rack = generateKeyPairSync('ed25519');
const now = 1_764_000_000_000;

function signed(change: Partial<Record<string, string>> = {}) {
  const time = String(now);
  const text = signedText('POST', '/agent/v1/session?a=1', '10.0.0.9', '52:54:00:00:00:01', time);
  return {
    method: 'POST',
    url: '/agent/v1/session?a=1',
    headers: {
      'x-ingot-rack': 'rack1',
      'x-ingot-client': '10.0.0.9',
      'x-ingot-mac': '52:54:00:00:00:01',
      'x-ingot-time': time,
      'x-ingot-signature': sign(null, Buffer.from(text), rack.privateKey).toString('base64'),
      'x-ingot-rack-url': 'http://10.0.0.1:5248',
      ...change,
    },
  };
}

describe('forwarded requests', () => {
  it('believes what the rack signed', () => {
    expect(checkForwarded(signed(), rack.publicKey, now + 1000)).toEqual({
      rackId: 'rack1',
      client: '10.0.0.9',
      mac: '52:54:00:00:00:01',
      rackUrl: 'http://10.0.0.1:5248',
    });
  });

  it.each([
    ['another client', signed({ 'x-ingot-client': '10.0.0.8' })],
    ['another MAC', signed({ 'x-ingot-mac': '52:54:00:00:00:02' })],
    ['another path', { ...signed(), url: '/agent/v1/session' }],
    ['another method', { ...signed(), method: 'GET' }],
    ['no signature', signed({ 'x-ingot-signature': '' })],
  ])('refuses %s', (_what, request) => {
    expect(checkForwarded(request, rack.publicKey, now)).toBeNull();
  });

  it('refuses a signature older or newer than five minutes', () => {
    expect(checkForwarded(signed(), rack.publicKey, now + 300_001)).toBeNull();
    expect(checkForwarded(signed(), rack.publicKey, now - 300_001)).toBeNull();
  });

  it('refuses another rack’s key', () => {
    expect(checkForwarded(signed(), generateKeyPairSync('ed25519').publicKey, now)).toBeNull();
  });

  it('does not pass on a rack URL that is no plain origin', () => {
    const odd = signed({ 'x-ingot-rack-url': 'http://10.0.0.1:5248/"\nevil: yes' });
    expect(checkForwarded(odd, rack.publicKey, now)?.rackUrl).toBeNull();
  });
});
