import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Inventory } from '@ingot/contract/agent.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { BuiltinContext } from './builtin.ts';
import { captureLldpd } from './capture-lldpd.ts';

let folder: string;
const path = process.env.PATH;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ingot-lldp-'));
  vi.stubEnv('PATH', `${folder}:${path}`);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** A daemon that hears its first neighbour by the second question. */
function lateSpeaker(): void {
  const script = `#!/bin/sh
[ -e ${folder}/asked ] && echo '<lldp><interface name="eth0"/></lldp>' || echo '<lldp/>'
touch ${folder}/asked
`;
  writeFileSync(join(folder, 'lldpctl'), script);
  chmodSync(join(folder, 'lldpctl'), 0o755);
}

function contextOf(flags: string): BuiltinContext {
  const port = { name: 'ens3', mac: '52:54:00:00:00:01', driver: '', vendor: '', product: '', firmware: '' };
  const inventory = {
    cpuinfo: `processor\t: 0\nflags\t\t: ${flags}\n`,
    ethernet: [{ ...port, linkDetected: true, speedMbps: 0, maxSpeedMbps: 0 }],
  };
  // The script looks at nothing else.
  return { inventory: async () => inventory as unknown as Inventory } as BuiltinContext;
}

test('on hardware a silent port is waited for', async () => {
  lateSpeaker();
  const run = await captureLldpd(contextOf('fpu sse2'));
  expect(run).toMatchObject({ exitStatus: 0, stderr: '' });
  expect(run.stdout).toContain('<interface name="eth0"/>');
});

test('in a virtual machine nobody is waited for, and what was not heard is said', async () => {
  lateSpeaker();
  const run = await captureLldpd(contextOf('fpu hypervisor sse2'));
  expect(run.stdout).toContain('<lldp/>');
  expect(run.stderr).toMatch(/^1 of 1 ports with a link heard no neighbour in \d+ s\.$/m);
});
