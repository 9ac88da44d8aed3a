import { execFileSync } from 'node:child_process';
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadServerTls } from './authority.ts';
import { certificateNames, rackUrl } from './own-names.ts';

const DAY = 24 * 3600 * 1000;
let home: string;
let dir: string;
beforeEach(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), 'ingot-tls-'));
  dir = path.join(home, 'tls');
});
afterEach(() => rm(home, { recursive: true }));

const certificate = async (name: string) => new X509Certificate(await readFile(path.join(dir, `${name}.pem`)));

test('makes a CA for ten years and a certificate for every name, both for their owner alone, once', async () => {
  const names = ['region.example.org', '10.1.2.3', 'fd00::1'];
  const tls = await loadServerTls(dir, names, Date.now());
  const [ca, server] = [await certificate('ca'), await certificate('server')];
  expect(tls.fingerprint).toBe(createHash('sha256').update(ca.raw).digest('hex'));
  expect(Math.round((Date.parse(ca.validTo) - Date.now()) / DAY)).toBe(3650);
  expect([ca.ca, server.ca]).toEqual([true, false]);
  expect(server.checkPrivateKey(createPrivateKey(tls.key))).toBe(true);
  expect(server.checkHost('region.example.org')).toBe('region.example.org');
  for (const address of ['10.1.2.3', 'fd00::1']) expect(server.checkIP(address)).toBe(address);
  expect(server.checkIP('10.1.2.4')).toBeUndefined();
  execFileSync('openssl', ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', 'ca.pem', 'server.pem'], {
    cwd: dir,
  });
  expect((await stat(dir)).mode & 0o777).toBe(0o700);
  const files = await readdir(dir);
  expect(files.sort()).toEqual(['ca-key.pem', 'ca.pem', 'server-key.pem', 'server.pem']);
  for (const file of files) expect((await stat(path.join(dir, file))).mode & 0o777).toBe(0o600);
  expect(await loadServerTls(dir, names, Date.now())).toEqual(tls);
});

test('the certificate is renewed in its last 30 days and for a new name; the CA stays', async () => {
  const first = await loadServerTls(dir, ['10.1.2.3'], Date.now());
  const end = first.notAfter.getTime();
  expect((await loadServerTls(dir, ['10.1.2.3'], end - 31 * DAY)).cert).toBe(first.cert);
  const late = await loadServerTls(dir, ['10.1.2.3'], end - 29 * DAY);
  expect(late.cert).not.toBe(first.cert);
  const moved = await loadServerTls(dir, ['10.1.2.3', '10.9.9.9'], Date.now());
  expect((await certificate('server')).checkIP('10.9.9.9')).toBe('10.9.9.9');
  expect([late.fingerprint, moved.fingerprint]).toEqual([first.fingerprint, first.fingerprint]);
});

test('a damaged CA is never replaced behind the back of enrolled racks; a damaged server certificate is', async () => {
  const first = await loadServerTls(dir, ['a'], Date.now());
  await writeFile(path.join(dir, 'server.pem'), 'nonsense');
  expect((await loadServerTls(dir, ['a'], Date.now())).fingerprint).toBe(first.fingerprint);
  const ca = await readFile(path.join(dir, 'ca.pem'));
  await rm(path.join(dir, 'ca-key.pem'));
  await expect(loadServerTls(dir, ['a'], Date.now())).rejects.toThrow(/its key is missing; put the files back/);
  await writeFile(path.join(dir, 'ca-key.pem'), await readFile(path.join(dir, 'server-key.pem')));
  await expect(loadServerTls(dir, ['a'], Date.now())).rejects.toThrow(/does not belong/);
  expect(await readFile(path.join(dir, 'ca.pem'))).toEqual(ca);
  // What a crash between the two files of a new CA leaves: nobody has seen a certificate of it.
  await rm(path.join(dir, 'ca.pem'));
  expect((await loadServerTls(dir, ['a'], Date.now())).fingerprint).not.toBe(first.fingerprint);
});

test('names are those by which other hosts know this one', () => {
  const address = (text: string, family: 'IPv4' | 'IPv6', internal = false) =>
    ({ address: text, family, internal }) as os.NetworkInterfaceInfo;
  const interfaces = {
    lo: [address('127.0.0.1', 'IPv4', true)],
    eth0: [address('fe80::1', 'IPv6'), address('fd00::5', 'IPv6'), address('10.0.0.5', 'IPv4')],
  };
  const host = { hostname: 'node1', interfaces };
  const any = { host: '0.0.0.0', port: 5250 };
  expect(certificateNames(host, any, ['region.example.org'])).toEqual(
    ['10.0.0.5', '127.0.0.1', '::1', 'fd00::5', 'localhost', 'node1', 'region.example.org'].sort(),
  );
  expect(certificateNames({ ...host, hostname: 'odd, IP:8.8.8.8' }, any, [])).not.toContain('odd, IP:8.8.8.8');
  expect(rackUrl(host, any, [])).toBe('https://10.0.0.5:5250');
  expect(rackUrl(host, any, ['region.example.org'])).toBe('https://region.example.org:5250');
  expect(rackUrl(host, { host: 'fd00::5', port: 1 }, [])).toBe('https://[fd00::5]:1');
  expect(rackUrl({ hostname: 'node1', interfaces: {} }, any, [])).toBe('https://node1:5250');
});
