import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CandidateDisk, CandidateRow, Site } from './candidate.ts';
import { candidates, costOf } from './candidates.ts';
import type { Submitted } from './constraints.ts';
import { nothingAvailable } from './describe.ts';
import { parseConstraints } from './parse.ts';
import { resolveSubnets, resolveVlans } from './specifier.ts';
import { matchStorage, parseStorage } from './storage-constraint.ts';

const GB = 1e9;
const site: Site = {
  tags: ['fast', 'ssd', 'rack4', 'old'],
  zones: ['default', 'east', 'west'],
  pools: ['default', 'lab'],
  owners: ['ann'],
  architectures: ['amd64/generic', 'amd64/hwe', 'armhf/generic', 'arm64/generic'],
  network: {
    fabrics: [
      { id: 0, name: 'fabric-0', classType: null },
      { id: 1, name: 'core', classType: 'fast' },
    ],
    spaces: [
      { id: 1, name: 'storage' },
      { id: 2, name: 'dmz' },
    ],
    vlans: [
      { id: 10, vid: 0, name: 'untagged', fabricId: 0, spaceId: null },
      { id: 11, vid: 100, name: 'data', fabricId: 1, spaceId: 1 },
    ],
    subnets: [
      { id: 1, name: 'pxe', cidr: '10.1.0.0/24', vlanId: 10 },
      { id: 2, name: 'data', cidr: '10.2.0.0/24', vlanId: 11 },
    ],
  },
};

const disk = (id: number, gb: number, over: Partial<CandidateDisk> = {}): CandidateDisk => ({
  id,
  size: gb * GB,
  tags: [],
  root: false,
  used: false,
  partitions: [],
  ...over,
});

function row(id: number, over: Partial<CandidateRow> = {}): CandidateRow {
  return {
    id,
    systemId: `sys${id}`,
    hostname: `host${id}`,
    fqdn: `host${id}.maas`,
    architecture: 'amd64/generic',
    cpuCount: 2,
    cpuSpeed: 2000,
    memory: 4096,
    tags: [],
    zone: { id: 1, name: 'default' },
    pool: { id: 0, name: 'default' },
    owner: null,
    powerState: 'off',
    ephemeralDeploy: false,
    disks: [disk(id * 10, 20, { root: true, used: true }), disk(id * 10 + 1, 100)],
    interfaces: [
      {
        id: id * 10,
        name: 'eth0',
        type: 'physical',
        vlanId: 10,
        linkSpeed: 1000,
        tags: [],
        links: [{ subnetId: 1, ip: null }],
      },
    ],
    ...over,
  };
}
const onData = row(2, {
  interfaces: [
    ...row(2).interfaces,
    {
      id: 25,
      name: 'eth1',
      type: 'physical',
      vlanId: 11,
      linkSpeed: 10000,
      tags: ['oob'],
      links: [{ subnetId: 2, ip: '10.2.0.9' }],
    },
  ],
});

function allocate(rows: CandidateRow[], submitted: Submitted) {
  const parsed = parseConstraints(submitted, site);
  if (!parsed.ok) return parsed.errors;
  return candidates(rows, parsed.constraints, site.network).ordered.map((match) => match.row.id);
}
const errors = (name: string, ...values: string[]) => {
  const parsed = parseConstraints([[name, values]], site);
  return parsed.ok ? null : parsed.errors[name]?.[0];
};

describe('order of choice', () => {
  test('cost is cores plus memory in GiB; ties by id', () => {
    const rows = [
      row(5, { cpuCount: 2, memory: 4096 }),
      row(3, { cpuCount: 4, memory: 2048 }),
      row(4, { cpuCount: 1, memory: 1024 }),
    ];
    expect(allocate(rows, [])).toEqual([4, 3, 5]);
  });
  test('whatever the rows: ordered and rejected together are all of them, and the cost never falls', () => {
    const rows = fc.uniqueArray(
      fc
        .record({ id: fc.integer({ min: 1, max: 50 }), cpuCount: fc.nat(16), memory: fc.nat(65536) })
        .map(({ id, ...over }) => row(id, over)),
      { selector: ({ id }) => id },
    );
    fc.assert(
      fc.property(rows, fc.nat(20), (all, cpu) => {
        const { ordered, rejected } = candidates(all, { cpu_count: cpu }, site.network);
        expect(ordered.length + rejected.size).toBe(all.length);
        const costs = ordered.map((match) => costOf(match.row));
        expect(costs).toEqual([...costs].sort((a, b) => a - b));
        for (const { row: one } of ordered) expect(one.cpuCount).toBeGreaterThanOrEqual(cpu);
      }),
    );
  });
});

describe('constraints', () => {
  const two = [row(1), row(2, { tags: ['fast', 'ssd'], zone: { id: 2, name: 'east' }, memory: 8192, cpuCount: 4 })];
  test.each<[Submitted, number[]]>([
    [[['name', ['host2']]], [2]],
    [[['name', ['host2.maas']]], [2]],
    [[['name', ['host1', 'host2']]], []],
    [[['system_id', ['sys1', 'sys2']]], [1, 2]],
    [[['arch', ['amd64']]], [1, 2]],
    [[['arch', ['arm']]], []],
    [[['not_arch', ['amd64/generic']]], []],
    [[['cpu_count', ['2.5']]], [2]],
    [[['cpu_count', ['9', '1']]], [1, 2]],
    [[['cpu_speed', ['2001']]], []],
    [[['mem', ['4097']]], [2]],
    [[['tags', ['fast, ssd']]], [2]],
    [[['not_tags', ['fast', 'unknown']]], [1]],
    [[['not_tags', ['fast,ssd']]], [1, 2]],
    [[['zone', ['east', 'west']]], [2]],
    [[['not_in_zone', ['east']]], [1]],
    [[['pool', ['lab']]], []],
    [[['not_in_pool', ['lab']]], [1, 2]],
    [[['power_state', ['=on']]], []],
    [[['deployment_target', ['disk']]], [1, 2]],
    [[['tags', ['']]], [1, 2]],
    [
      [
        ['agent_name', ['juju']],
        ['op', ['allocate']],
        ['dry_run', ['true']],
      ],
      [1, 2],
    ],
  ])('%j → %j', (submitted, expected) => {
    expect(allocate(two, submitted)).toEqual(expected);
  });
  test.each<[Submitted, number[]]>([
    [[['subnets', ['10.1.0.7/24']]], [1, 2]],
    [[['subnets', ['pxe', 'data']]], [2]],
    [[['subnets', ['space:storage']]], [2]],
    [[['not_subnets', ['ip:10.2.0.77']]], [1]],
    [[['vlans', ['vid:100', 'untagged']]], [1, 2]],
    [[['not_vlans', ['data']]], [1]],
    [[['fabrics', ['core']]], [2]],
    [[['fabric_classes', ['fast']]], [2]],
    [[['not_fabrics', ['core']]], [1]],
    [[['link_speed', ['10000']]], [2]],
  ])('networks: %j → %j', (submitted, expected) => {
    expect(allocate([row(1), onData], submitted)).toEqual(expected);
  });
  test.each([
    ['colour', 'red', 'No such constraint.'],
    ['hostname', 'x', 'No such constraint.'],
    ['arch', 'vax', 'Architecture not recognised.'],
    ['cpu_count', 'many', 'Invalid CPU count: number required.'],
    ['cpu_speed', 'fast', 'Invalid CPU speed: number required.'],
    ['mem', '4G', 'Invalid memory: number of MiB required.'],
    ['link_speed', 'x', 'Invalid link speed: number required.'],
    ['tags', 'x,y', "No such tag(s): 'x', 'y'."],
    ['zone', 'moon', 'No such zone(s): moon.'],
    ['not_in_pool', 'moon', 'No such pool(s): moon.'],
    ['owner', 'bob', "No such owner: 'bob'."],
    ['subnets', 'nowhere', 'No matching subnets found.'],
    ['vlans', 'nowhere', 'No matching VLANs found.'],
    ['storage', 'abc', 'Malformed storage constraint, "abc".'],
    ['devices', 'vendor_id=10de', 'Constraints on node devices are not supported.'],
  ])('%s=%s is refused: %s', (name, value, message) => {
    expect(errors(name, value)).toBe(message);
  });
  test('a VID out of range and a bad choice are refused', () => {
    expect(errors('vlans', 'vid:4095')).toMatch(/4094/);
    expect(errors('power_state', 'dim')).toMatch(/dim is not one of/);
  });
  test('why a machine was rejected is said', () => {
    const { rejected } = candidates([row(1)], { mem: 9999 }, site.network);
    expect(rejected.get('sys1')).toBe('mem=9999, but it has 4096');
  });
});

describe('specifiers', () => {
  const subnets = (...values: string[]) => resolveSubnets(site.network, values);
  test('inside one text items are ANDed, between values ORed; operators override', () => {
    expect(subnets('pxe', 'data')).toEqual({ ok: true, ids: [1, 2] });
    expect(subnets('pxe,data')).toEqual({ ok: true, ids: [] });
    expect(subnets('pxe,|data')).toEqual({ ok: true, ids: [1, 2] });
    expect(subnets('!pxe')).toEqual({ ok: true, ids: [2] });
    expect(subnets('vlan:fabric:core,not_name:data')).toEqual({ ok: true, ids: [] });
    expect(subnets('space:undefined')).toEqual({ ok: true, ids: [1] });
    expect(subnets('fabric:class:fast')).toEqual({ ok: true, ids: [2] });
    expect(subnets('subnet-2')).toEqual({ ok: true, ids: [2] });
  });
  test('a number means a VID among VLANs, an id among subnets', () => {
    expect(resolveVlans(site.network, ['100'])).toEqual({ ok: true, ids: [11] });
    expect(subnets('1')).toEqual({ ok: true, ids: [1] });
  });
  test('what cannot be is told apart from what is not there', () => {
    expect(subnets('cidr:10.1').ok).toBe(false);
    expect(subnets('interface:eth0').ok).toBe(false);
    expect(subnets('name:nowhere')).toEqual({ ok: true, ids: [] });
  });
});

describe('storage', () => {
  const match = (disks: CandidateDisk[], text: string) => matchStorage(disks, parseStorage(text) ?? []);
  const disks = [
    disk(1, 20, { root: true, used: true, tags: ['ssd'] }),
    disk(2, 500, { tags: ['rotary'] }),
    disk(3, 200, { tags: ['ssd', 'nvme'] }),
    disk(4, 900, { used: true, partitions: [{ id: 40, size: 900 * GB, tags: ['fast'], root: false, used: false }] }),
  ];
  test('the first group is the root disk, 0 is any size', () => {
    expect(match(disks, 'root:0')).toEqual({ root: [1] });
    expect(match(disks, 'root:20(ssd)')).toEqual({ root: [1] });
    expect(match(disks, 'root:21')).toBeNull();
  });
  test('others take the smallest unused device that fits, those with most tags first', () => {
    expect(match(disks, '0,any:100,fast:100(ssd,nvme)')).toEqual({ fast: [3], any: [2] });
    expect(match(disks, 'root:0,spare:50(partition,fast)')).toEqual({ root: [1], spare: ['partition:40'] });
    expect(match(disks, 'root:0,a:300,b:300')).toBeNull();
  });
  test('without a root device nothing matches', () => {
    expect(match([disk(1, 20)], '0')).toBeNull();
  });
  test.each(['abc', '10(ssd,20', '10 ', '', '10,', 'a b:10', '1.2.3', '10()', '10(ssd,)'])(
    '%j is malformed',
    (text) => {
      expect(parseStorage(text)).toBeNull();
    },
  );
  test('a group without label is left out of the answer', () => {
    const { ordered } = candidates([row(1)], { storage: { text: '0', groups: parseStorage('0') ?? [] } }, site.network);
    expect(ordered[0]?.byType).toEqual({});
  });
});

describe('interfaces', () => {
  const served = (text: string) => {
    const parsed = parseConstraints([['interfaces', [text]]], site);
    if (!parsed.ok) return parsed.errors.interfaces?.[0];
    return candidates([row(1), onData], parsed.constraints, site.network).ordered.map(
      (match) => match.byType.interfaces,
    );
  };
  test('every label must be served; the answer names all interfaces that serve it', () => {
    expect(served('0:space=1')).toEqual([{ 0: [25] }]);
    expect(served('a:subnet=10.1.0.0/24,subnet=data')).toEqual([{ a: [10] }, { a: [20, 25] }]);
    expect(served('pub:fabric=fabric-0;priv:space=storage,vid=100')).toEqual([{ pub: [20], priv: [25] }]);
    expect(served('nic:type=physical,link_speed=10000,not_tag=oob')).toEqual([]);
    expect(served('n:ip=10.2.0.9')).toEqual([{ n: [25] }]);
    expect(served('n:not_space=undefined')).toEqual([{ n: [25] }]);
    expect(served('n:mode=unconfigured,name=eth0')).toEqual([{ n: [10] }, { n: [20] }]);
  });
  test.each([
    'nolabel',
    'a:novalue',
    'a:name=x;a:name=y',
    '-a:name=x',
    'a:colour=red',
    'a:not_mode=unconfigured',
    'a:mode=dhcp',
    'a:vid=9999',
  ])('%s is refused', (text) => {
    expect(served(text)).toEqual(expect.stringMatching(/Malformed|VID/));
  });
});

describe('the text of the 409', () => {
  const text = (submitted: Submitted) => {
    const parsed = parseConstraints(submitted, site);
    return parsed.ok ? nothingAvailable(submitted, parsed.constraints) : parsed.errors;
  };
  test('as clients know it', () => {
    expect(text([['op', ['allocate']]])).toBe('No machine available.');
    expect(text([['agent_name', ['juju']]])).toBe('No machine available.');
    expect(text([['system_id', ['abc']]])).toBe('No machine with system ID abc available.');
    expect(text([['mem', ['9999']]])).toBe(
      "No available machine matches constraints: [('mem', ['9999'])] (resolved to \"mem=9999.0\")",
    );
    expect(
      text([
        ['op', ['allocate']],
        ['tags', ['fast', 'ssd']],
        ['cpu_count', ['2.5']],
        ['arch', ['amd64']],
        ['subnets', ['pxe']],
        ['agent_name', ["ann's"]],
      ]),
    ).toBe(
      "No available machine matches constraints: [('tags', ['fast', 'ssd']), ('cpu_count', ['2.5']), " +
        "('arch', ['amd64']), ('subnets', ['pxe']), ('agent_name', [\"ann's\"])] " +
        '(resolved to "arch=amd64/generic,amd64/hwe cpu_count=2.5 subnets=1 tags=fast,ssd")',
    );
  });
});
