import { expect, it } from 'vitest';
import { palette } from '../format/colour.ts';
import { type HostFacts, hostChecks, siteChecks } from './checks.ts';
import { checkList } from './doctor.ts';

const host: HostFacts = {
  stateDir: '/s',
  nodeMajor: 20,
  freeBytes: 50 * 2 ** 30,
  upPid: 42,
  socketExists: true,
  programs: { postgres: '/p', 'kea-dhcp4': '/k', ssh: '/usr/bin/ssh' },
  takenPorts: [],
};

it('a healthy host has nothing to do', () => {
  expect(hostChecks(host).filter((check) => check.fix !== null)).toEqual([]);
});

it('everything that is wrong has a way out', () => {
  const broken = hostChecks({
    ...host,
    nodeMajor: 18,
    freeBytes: 5,
    upPid: null,
    socketExists: false,
    programs: { postgres: null, 'kea-dhcp4': null, ssh: null },
    takenPorts: ['udp 67'],
  });
  expect(broken.map((check) => check.state)).toEqual(broken.map(() => 'failed'));
  const site = siteChecks({ database: false, racks: [], images: [], subnets: [], keys: [] });
  for (const check of [...broken, ...site]) expect(check.fix).toBeTruthy();
  expect(hostChecks({ ...host, freeBytes: null })[1]?.state).toBe('failed');
});

it('what is wrong with a served network is said with its code and what to do', () => {
  const subnet = {
    id: 1,
    cidr: '10.0.0.0/24',
    name: '',
    vlan: 0,
    fabric: 'fabric-0',
    dhcp: false,
    mode: 'proxy' as const,
    relay: null,
    primaryRack: null,
    secondaryRack: null,
    gateway: null,
    ranges: [],
    foreignDhcp: [],
    pool: null,
    warnings: [{ code: 'network.proxy_alone', message: 'No DHCP server answers.', fix: 'Start it.' }],
  };
  const checks = siteChecks({ database: true, racks: [], images: [], subnets: [subnet], keys: [] });
  const text = checkList(checks, palette(false));
  expect(text).toContain('✓ network            DHCP proxy for 10.0.0.0/24\n');
  expect(text).toContain('! 10.0.0.0/24        No DHCP server answers. (network.proxy_alone)\n      → Start it.\n');
});

it('a service that is down on a rack is named with what it says', () => {
  const rack = { id: 'r', name: 'r1', connected: true, version: '', lastSeen: null };
  const services = [
    { name: 'dhcp', ok: false, detail: 'port 67 is taken' },
    { name: 'tftp', ok: true, detail: '' },
  ];
  const checks = siteChecks({ database: true, racks: [{ ...rack, services }], images: [], subnets: [], keys: [] });
  expect(checkList(checks, palette(false))).toContain('✗ rack r1            dhcp: port 67 is taken\n      → ');
});
