import { describe, expect, it } from 'vitest';
import { phaseFor } from './phase-for.ts';

const at = (phase: string) => ({ phase, ended: false });

describe('phase by evidence', () => {
  it.each([
    ['dhcp.lease', {}, 'dhcp', 'boot-program'],
    ['dhcp.proxy', {}, 'dhcp', 'boot-program'],
    ['boot.script', { decision: 'ephemeral' }, 'dhcp', 'kernel'],
    ['boot.script', {}, 'boot-program', 'kernel'],
    ['boot.script', {}, 'power', 'kernel'],
    ['http.read', { file: 'squashfs', complete: true }, 'kernel', 'agent'],
  ])('%s %j in %s leads to %s', (kind, data, phase, expected) => {
    expect(phaseFor(kind, data, at(phase))).toBe(expected);
  });

  it.each([
    ['a lease before power was confirmed', 'dhcp.lease', {}, 'power'],
    ['a second lease, by the kernel', 'dhcp.lease', {}, 'kernel'],
    ['the boot program itself', 'tftp.read', { file: 'boot-program', complete: true }, 'boot-program'],
    ['the kernel alone', 'http.read', { file: 'kernel', complete: true }, 'kernel'],
    ['a root image before power was confirmed', 'http.read', { file: 'squashfs', complete: true }, 'power'],
    ['half a root image', 'http.read', { file: 'squashfs', complete: false }, 'kernel'],
    ['a script for local boot', 'boot.script', { decision: 'local' }, 'dhcp'],
    ['a late script', 'boot.script', {}, 'agent'],
    ['anything once the agent works', 'http.read', { file: 'squashfs', complete: true }, 'script:maas-capture-lldpd'],
    ['anything after the reboot', 'dhcp.lease', {}, 'first-boot'],
    ['console text', 'console', {}, 'kernel'],
  ])('%s moves nothing', (_what, kind, data, phase) => {
    expect(phaseFor(kind, data, at(phase))).toBeNull();
  });

  it('moves no attempt that has ended', () => {
    expect(phaseFor('boot.script', {}, { phase: 'dhcp', ended: true })).toBeNull();
  });
});
