import { expect, test } from 'vitest';
import { parseCommandLine, parseListen } from './command-line.ts';

test('serves by default on the loopback address with the private cluster', () => {
  expect(parseCommandLine([], undefined)).toEqual({
    command: 'serve',
    stateDir: '/var/lib/ingot',
    databaseUrl: null,
    logLevel: 'info',
    listen: { host: '127.0.0.1', port: 5240 },
  });
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
