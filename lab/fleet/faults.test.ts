import { describe, expect, test } from 'vitest';
import { FAULT_KINDS, FaultSyntax, faultOf, parseFaults } from './faults.ts';
import { rollFleetHardware } from './hardware.ts';

const MACHINES = 2000;
const indices = Array.from({ length: MACHINES }, (_, at) => at + 1);

describe('faults of a fleet', () => {
  const plan = parseFaults('dead-bmc=0.1,agent-dies:5=0.05,slow-disk', ['7=never-boots', '8=agent-dies:2']);
  const rolled = (seed: number) => indices.map((index) => faultOf(plan, seed, index));

  test('come by rate, and by name for one machine', () => {
    const faults = rolled(1);
    const count = (kind: string) => faults.filter((fault) => fault?.kind === kind).length;
    expect(count('dead-bmc') / MACHINES).toBeCloseTo(0.1, 1);
    expect(count('agent-dies') / MACHINES).toBeCloseTo(0.05, 1);
    expect(count('slow-disk')).toBeGreaterThan(0);
    expect(faults[6]).toEqual({ kind: 'never-boots', at: 3 });
    expect(faults[7]).toEqual({ kind: 'agent-dies', at: 2 });
    expect(faults.find((fault, at) => at > 8 && fault?.kind === 'agent-dies')).toEqual({ kind: 'agent-dies', at: 5 });
  });

  test('are the same for the same seed, and others for another', () => {
    expect(rolled(1)).toEqual(rolled(1));
    expect(rolled(1)).not.toEqual(rolled(2));
  });

  test.each([
    ['gremlins', []],
    ['dead-bmc=2', []],
    ['dead-bmc=x', []],
    ['dead-bmc:3', []],
    ['agent-dies:0', []],
    ['dead-bmc=0.6,slow-disk=0.6', []],
    ['', ['0=dead-bmc']],
    ['', ['dead-bmc']],
    ['', ['3=dead-bmc=1']],
  ])('%s %s is refused with a reason', (rates, single) => {
    expect(() => parseFaults(rates, single)).toThrow(FaultSyntax);
  });

  test('each kind is told what it does', () => {
    for (const what of Object.values(FAULT_KINDS)) expect(what).toMatch(/\w{3}/);
  });
});

describe('hardware of a fleet', () => {
  const roll = (seed: number) => indices.map((index) => rollFleetHardware(seed, index, index % 4, 0.25));

  test('is the same for the same seed, another for another', () => {
    expect(roll(42)).toEqual(roll(42));
    expect(roll(42).map(({ serial }) => serial)).not.toEqual(roll(43).map(({ serial }) => serial));
  });

  test('is mixed, and nothing that names a machine comes twice', () => {
    const fleet = roll(42);
    const kinds = (of: (machine: (typeof fleet)[number]) => unknown) => new Set(fleet.map(of)).size;
    expect(kinds(({ model }) => model.vendor)).toBe(5);
    expect(kinds(({ firmware }) => firmware)).toBe(2);
    expect(kinds(({ memoryMib }) => memoryMib)).toBeGreaterThan(6);
    expect(kinds(({ disks }) => disks.length)).toBe(4);
    expect(kinds(({ ports }) => ports.length)).toBeGreaterThan(1);
    expect(kinds(({ neighbour }) => neighbour.name)).toBe(MACHINES / 40);
    expect(kinds(({ serial }) => serial)).toBe(MACHINES);
    expect(kinds(({ uuid }) => uuid)).toBe(MACHINES);
    const macs = fleet.flatMap(({ ports }) => ports.map(({ mac }) => mac));
    expect(new Set(macs).size).toBe(macs.length);
    const redfish = fleet.filter(({ bmc }) => bmc.kind === 'redfish').length / MACHINES;
    expect(redfish).toBeCloseTo(0.25, 1);
  });
});
