import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { MachineView } from '@ingot/contract/native.ts';
import { type CommandResult, tryCommand } from '@ingot/lab/run/command.ts';
import { waitFor } from '@ingot/lab/run/wait.ts';
import { SIMULATED_IMAGE, type SimulatedSite, startSimulatedSite } from '@ingot/lab/sim/site.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { checkout, ensureBuilt } from '../sim/built.ts';
import { testedBlocks } from './command-blocks.ts';

// What the tutorial tells people to type, typed: at a site as the demo leaves it, with simulated machines.
const blocks = testedBlocks(readFileSync(path.join(checkout, 'docs/tutorial.md'), 'utf8'));
let site: SimulatedSite;
let name = '';
/** Has enlisted and nothing more. */
let fresh = '';
let programs = '';

beforeAll(async () => {
  await ensureBuilt('region', 'ingot');
  site = await startSimulatedSite({ checkout, machines: 2, seed: 12 });
  // No simulated machine can be logged in to.
  programs = await mkdtemp(path.join(os.tmpdir(), 'ingot-tutorial-'));
  await writeFile(path.join(programs, 'ssh'), '#!/bin/sh\necho "ssh $*"\n', { mode: 0o755 });
  for (const machine of [...site.machines]) {
    await machine.press('on');
    const { systemId, hostname } = await waitFor('enlistment', 20_000, () => site.find(machine), 50);
    const reach = (status: string) =>
      waitFor(status, 30_000, async () => ((await site.find(machine))?.status === status ? true : undefined), 100);
    await site.api.act(systemId, 'commission');
    await reach('READY');
    await site.api.act(systemId, 'deploy', { image: SIMULATED_IMAGE });
    await reach('DEPLOYED');
    name = hostname;
  }
  const last = site.add();
  await last.press('on');
  fresh = (await waitFor('enlistment', 20_000, () => site.find(last), 50)).hostname;
  await waitFor('it to go off', 20_000, async () => (last.isOn() ? undefined : true), 50);
}, 240_000);
afterAll(async () => {
  await site?.stop();
  await rm(programs, { recursive: true, force: true });
});

/** Each line by itself, as it is typed; none may fail. */
async function typed(text: string): Promise<string> {
  const who = text.includes('commission "$NAME" --wait') ? fresh : name;
  const env = [`INGOT_STATE=${site.stateDir}`, `NAME=${who}`, 'NO_COLOR=1', `PATH=${programs}:${process.env.PATH}`];
  let printed = '';
  for (const line of text.split('\n').filter((one) => one.trim() !== '')) {
    const script = `cd ${JSON.stringify(checkout)} && ${line}`;
    const result: CommandResult = await tryCommand(['env', ...env, 'bash', '-euo', 'pipefail', '-c', script], 30_000);
    expect({ line, code: result.code, stderr: result.stderr }).toMatchObject({ line, code: 0 });
    printed += result.stdout;
  }
  return printed;
}

/** What a reader may expect to see after a block that contains the text. */
const EXPECTED: { has: string; shows: (printed: string) => void }[] = [
  {
    has: 'machines status:deployed',
    shows: (printed) => {
      expect(printed).toContain(name);
      expect(printed).toMatch(/Deployed/);
    },
  },
  {
    has: 'machine "$NAME"',
    shows: (printed) => {
      expect(printed).toContain(name);
      expect(printed).toMatch(/reboot|first boot/i);
      expect(printed).toMatch(/DHCP gave/);
    },
  },
  {
    has: 'explain "$NAME" commission',
    shows: (printed) => expect(printed).toMatch(/release, then commission/i),
  },
  {
    has: 'machines -o json',
    shows: (printed) => {
      const machines = z.array(MachineView).parse(JSON.parse(printed));
      expect(machines.map(({ hostname }) => hostname)).toContain(name);
      expect(machines).toHaveLength(3);
    },
  },
];

EXPECTED.push({
  has: 'release "$NAME" --erase --wait',
  shows: (printed) => {
    expect(printed).toContain(fresh);
    expect(printed).toMatch(/^ssh .*debian/m);
  },
});

test('the tutorial has command blocks to test, and every expectation has its block', () => {
  expect(blocks.length).toBeGreaterThanOrEqual(5);
  expect(EXPECTED.filter(({ has }) => !blocks.some(({ text }) => text.includes(has)))).toEqual([]);
});

test.each(blocks)('docs/tutorial.md:$line', async ({ text }) => {
  const printed = await typed(text);
  expect(printed.trim()).not.toBe('');
  for (const { has, shows } of EXPECTED) if (text.includes(has)) shows(printed);
});
