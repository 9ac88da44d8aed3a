import { expect, test } from 'vitest';
import { readSimArguments, SIM_USAGE, SimUsage } from './arguments.ts';

test('what stands for what is not given', () => {
  expect(readSimArguments([], 99)).toMatchObject({
    machines: 20,
    seed: 99,
    vlans: 1,
    timing: 'realistic',
    prepared: null,
    region: { kind: 'own', port: 5240 },
  });
  expect(readSimArguments(['--help'], 1)).toBeNull();
});

test('a running Ingot, here or elsewhere', () => {
  const region = (...argv: string[]) => readSimArguments(argv, 1)?.region;
  expect(region('--state', '/srv/ingot')).toEqual({ kind: 'state', dir: '/srv/ingot', url: 'http://127.0.0.1:5240' });
  expect(region('--url', 'http://10.0.0.1:5240/', '--token', 'a:b:c')).toEqual({
    kind: 'url',
    url: 'http://10.0.0.1:5240',
    apiKey: 'a:b:c',
  });
});

test.each([
  [['--machines', '0']],
  [['--machines', '10001']],
  [['--machines', '']],
  [['--seed', 'x']],
  [['--time', 'slow']],
  [['--prepared', 'new']],
  [['--redfish', '2']],
  [['--url', 'http://x']],
  [['--token', 'a:b:c']],
  [['--url', 'http://x/MAAS/', '--token', 'a:b:c']],
  [['--state', 'x', '--token', 'a:b:c']],
  [['--faults', 'gremlins']],
  [['--nonsense']],
])('%j is refused in one line', (argv) => {
  expect(() => readSimArguments(argv, 1)).toThrow(SimUsage);
});

test('each option that is read stands in the help', () => {
  for (const name of [
    'machines',
    'seed',
    'time',
    'vlans',
    'redfish',
    'faults',
    'fault',
    'prepared',
    'parallel',
    'port',
  ]) {
    expect(SIM_USAGE).toContain(`--${name} `);
  }
});
