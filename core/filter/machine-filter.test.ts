import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FilterSubject, matchesFilter, parseFilter } from './machine-filter.ts';

const web1: FilterSubject = {
  systemId: 'abc123',
  hostname: 'web1',
  fqdn: 'web1.maas',
  status: 'FAILED_TESTING',
  statusName: 'Failed testing',
  owner: 'ada',
  locked: false,
  zone: 'default',
  pool: 'blue',
  tags: ['gpu', 'virtual'],
  architecture: 'amd64/generic',
  powerType: 'ipmi',
  powerState: 'on',
  cpuCount: 4,
  memory: 4096,
  storage: 8 * 2 ** 30,
  diskCount: 1,
  osystem: 'debian',
  distroSeries: 'bookworm',
  addresses: ['10.0.0.7', 'fd00::7'],
};

function matches(text: string): boolean {
  const parsed = parseFilter(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return matchesFilter(parsed.terms, web1);
}

describe('machine filter', () => {
  it.each([
    '',
    'web',
    'WEB1 gpu',
    'status:failed-testing',
    'status:FAILED_TESTING',
    'status:"failed testing"',
    'status:failed',
    'status:ready,failed',
    '-status:ready',
    '!deployed',
    'owner:ada zone:default pool:blue',
    'tag:gpu tag:virtual',
    'arch:amd64',
    'power:on',
    'power-type:ipmi',
    'cpu:>=4',
    'cpu:4',
    'cores:<5',
    'mem:>=4096',
    'mem:>=4G',
    'memory:4GiB',
    'storage:>7',
    'storage:<1T',
    'disks:1',
    'os:bookworm',
    'ip:10.0.0',
    'fd00::7',
    'name:=web1',
    'locked:no',
  ])('%s finds the machine', (text) => expect(matches(text)).toBe(true));

  it.each([
    'web2',
    'status:testing',
    'status:ready',
    '-tag:gpu',
    'owner:none',
    'zone:def',
    'tag:none',
    'cpu:>4',
    'mem:>=8G',
    'storage:>8',
    'name:=web',
    'locked:yes',
    'web !gpu',
  ])('%s does not', (text) => expect(matches(text)).toBe(false));

  it.each([
    ['colour:red', 'not a field'],
    ['cpu:many', 'not a comparison'],
    ['cpu:>=4G', 'not a comparison'],
    ['status:', 'names no value'],
    ['"open', 'not closed'],
    ['x'.repeat(2000), 'longer than'],
    ['a '.repeat(40), 'more than'],
  ])('%s is refused with what to write instead', (text, message) => {
    const parsed = parseFilter(text);
    expect(parsed.ok).toBe(false);
    if (parsed.ok) return;
    expect(parsed.message).toContain(message);
    expect(parsed.fix).not.toBe('');
  });

  it('reads any text without throwing, and a negated word is the complement of the word', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (text) => {
        parseFilter(text);
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9.]{1,6}$/), (word) => {
        expect(matches(`!${word}`)).toBe(!matches(word));
      }),
    );
  });
});
