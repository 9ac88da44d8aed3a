import { expect, test } from 'vitest';
import { parseCommandLine, parseListen } from './command-line.ts';

test('serves by default on the loopback address with the private cluster', () => {
  expect(parseCommandLine([], undefined)).toEqual({
    command: 'serve',
    stateDir: '/var/lib/ingot',
    databaseUrl: null,
    logLevel: 'info',
    listen: { host: '127.0.0.1', port: 5240 },
    rackListen: null,
    rackNames: [],
  });
});

test('lets racks of other hosts in only when told, by further names if need be', () => {
  const line = [
    'serve',
    '--rack-listen',
    '0.0.0.0:5250',
    '--rack-name',
    'region.example.org',
    '--rack-name',
    '10.1.1.1',
  ];
  expect(parseCommandLine(line, undefined)).toMatchObject({
    rackListen: { host: '0.0.0.0', port: 5250 },
    rackNames: ['region.example.org', '10.1.1.1'],
  });
  expect(() => parseCommandLine(['--rack-listen', '5250'], undefined)).toThrow(/--rack-listen takes/);
  expect(() => parseCommandLine(['--rack-name', 'a'], undefined)).toThrow(/needs --rack-listen/);
  expect(() => parseCommandLine(['--rack-listen', ':::5250', '--rack-name', 'a,IP:0.0.0.0'], undefined)).toThrow();
});

test("the flag wins over the environment's database", () => {
  expect(parseCommandLine(['migrate', '--database', 'postgres://a'], 'postgres://b').databaseUrl).toBe('postgres://a');
  expect(parseCommandLine(['migrate'], 'postgres://b').databaseUrl).toBe('postgres://b');
  expect(parseCommandLine(['migrate'], '').databaseUrl).toBeNull();
});

test('reads addresses of both families', () => {
  expect(parseListen('0.0.0.0:80')).toEqual({ host: '0.0.0.0', port: 80 });
  expect(parseListen('[::1]:0')).toEqual({ host: '::1', port: 0 });
  for (const wrong of ['5240', 'host', 'host:99999', '::1:80', ''])
    expect(() => parseListen(wrong)).toThrow(/--listen/);
});

test('names what is wrong', () => {
  expect(() => parseCommandLine(['createadmin', '--username', 'a'], undefined)).toThrow('createadmin needs --password');
  expect(() => parseCommandLine(['sevre'], undefined)).toThrow(/no "sevre"/);
  expect(() => parseCommandLine(['--wrong'], undefined)).toThrow(/--wrong/);
});
