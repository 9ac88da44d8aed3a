import { describe, expect, test } from 'vitest';
import { addressPlan } from './address-plan.ts';

describe('addresses of a fleet', () => {
  test.each([
    [1, 1],
    [1000, 1],
    [10_000, 1],
    [10_000, 16],
    [7, 3],
  ])('%i machines in %i VLANs: nobody shares an address, each lease lies in its VLAN’s range', (machines, vlans) => {
    const plan = addressPlan(64, machines, vlans);
    const seen = new Set(plan.rackAddresses.map((address) => address.split('/')[0]));
    const number = (address: string) => address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
    for (let index = 1; index <= machines; index += 1) {
      const lease = plan.leaseOf(index);
      const { range } = plan.vlanOf(index);
      expect(number(lease)).toBeGreaterThanOrEqual(number(range.start));
      expect(number(lease)).toBeLessThanOrEqual(number(range.end));
      seen.add(lease).add(plan.bmcAddress(index));
    }
    expect(seen.size).toBe(plan.rackAddresses.length + 2 * machines);
    expect(plan.bmcAddress(machines)).toMatch(/^127\.65\./);
    expect(plan.vlans.map(({ cidr }) => cidr)).toHaveLength(vlans);
  });

  test('refuses more than it has room for', () => {
    expect(() => addressPlan(64, 10_001, 1)).toThrow(/10000/);
    expect(() => addressPlan(64, 10, 17)).toThrow(/16/);
  });
});
