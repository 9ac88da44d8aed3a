import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { goalOf } from '@ingot/lab/fleet/operator.ts';
import { waitFor } from '@ingot/lab/run/wait.ts';
import { freePort } from '@ingot/lab/sim/site.ts';
import { type NativeClient, nativeClient } from '@ingot/lab/story/native-client.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { checkout, ensureBuilt } from './built.ts';

// `ingot lab sim` as people and their pipelines run it: a process, its one line of JSON, a signal, an exit code.

const LIMIT_MS = 180_000;
const SEED = 20260313;
const STATUS = { new: 'NEW', ready: 'READY', deployed: 'DEPLOYED' } as const;

const Description = z.object({
  url: z.string(),
  apiKey: z.string(),
  admin: z.object({ username: z.string(), password: z.string() }).nullable(),
  stateDir: z.string(),
  seed: z.number(),
  machines: z.array(
    z.object({
      index: z.number(),
      systemId: z.string().nullable(),
      hostname: z.string().nullable(),
      status: z.string().nullable(),
      serial: z.string(),
      macs: z.array(z.string()),
      bmc: z.object({ kind: z.string(), address: z.string() }),
      fault: z.string().nullable(),
    }),
  ),
});
type Description = z.infer<typeof Description>;

interface Sim {
  child: ChildProcess;
  told: Description;
  /** All that it said to people. */
  words(): string;
}

const running = new Set<ChildProcess>();
beforeAll(() => ensureBuilt('region', 'rack', 'ingot', 'lab'));
afterAll(async () => {
  for (const child of running) {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
});

function start(...argv: string[]): { child: ChildProcess; words: () => string } {
  const program = path.join(checkout, 'dist/ingot.mjs');
  const child = spawn(process.execPath, [program, 'lab', 'sim', ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let words = '';
  child.stderr?.on('data', (part: Buffer) => {
    words = `${words}${part.toString()}`.slice(-20_000);
  });
  return { child, words: () => words };
}

/** Starts one and waits for its line. */
async function sim(...argv: string[]): Promise<Sim> {
  const { child, words } = start('--time', 'zero', '--json', ...argv);
  if (!child.stdout) throw new Error('no pipe');
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([
    once(lines, 'line').then(([text]) => String(text)),
    once(child, 'exit').then(([code]) => `exit ${code}: ${words()}`),
  ]);
  return { child, told: Description.parse(JSON.parse(line)), words };
}

async function exitOf(child: ChildProcess, signal?: NodeJS.Signals): Promise<number | null> {
  const ended = once(child, 'exit');
  if (signal) child.kill(signal);
  const [code] = await ended;
  return code;
}

const hardwareOf = ({ machines }: Description) =>
  machines.map(({ index, serial, macs, bmc, fault }) => ({ index, serial, macs, kind: bmc.kind, fault }));

/** Pids whose command line names this directory. */
async function processesOf(dir: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(dir));
}

async function expectNothingLeft({ told }: Sim): Promise<void> {
  await expect(stat(told.stateDir)).rejects.toThrow('ENOENT');
  expect(await processesOf(told.stateDir)).toEqual([]);
  await expect(fetch(`${told.url}/healthz`)).rejects.toThrow();
}

describe('a fleet with an Ingot of its own', { timeout: LIMIT_MS }, () => {
  const fleet = ['--machines', '6', '--seed', String(SEED), '--redfish', '0.5', '--fault', '2=dead-bmc'];
  let first: Sim;
  let api: NativeClient;

  test('stands as it was asked for, and says so in one line', async () => {
    first = await sim(...fleet, '--prepared', 'mixed', '--port', String(await freePort()));
    const { told } = first;
    expect(told).toMatchObject({ seed: SEED, admin: { username: 'admin' } });
    expect(first.words()).toContain(`seed ${SEED}: --seed ${SEED} gives the same machines`);
    const wanted = Array.from({ length: 6 }, (_, at) => STATUS[goalOf('mixed', SEED, at + 1)]);
    expect(told.machines.map(({ status }) => status)).toEqual(wanted);
    expect(new Set(wanted)).toEqual(new Set(['NEW', 'READY', 'DEPLOYED']));
    expect(told.machines.map(({ fault }) => fault)).toEqual([null, 'dead-bmc', null, null, null, null]);
    api = nativeClient(path.join(told.stateDir, 'run/api.sock'));
    for (const machine of told.machines) {
      expect(await api.machine(machine.systemId ?? '')).toMatchObject({
        status: machine.status,
        hostname: machine.hostname,
        interfaces: expect.arrayContaining(machine.macs.map((mac) => expect.objectContaining({ mac }))),
      });
    }
  });

  test('lets its key in at its URL, to the dialect as well', async () => {
    const { url, apiKey } = first.told;
    const [consumer, token, secret] = apiKey.split(':');
    const authorization = `OAuth oauth_version="1.0", oauth_signature_method="PLAINTEXT", oauth_consumer_key="${consumer}", oauth_token="${token}", oauth_signature="%26${secret}", oauth_nonce="lab-sim", oauth_timestamp="${Math.floor(Date.now() / 1000)}"`;
    const answer = await fetch(`${url}/MAAS/api/2.0/machines/`, { headers: { authorization } });
    expect(answer.status).toBe(200);
    expect(z.array(z.object({ system_id: z.string() })).parse(await answer.json())).toHaveLength(6);
  });

  test('a second fleet joins the Ingot of the first, and leaves it standing when it goes', async () => {
    const joined = await sim(
      ...['--machines', '2', '--seed', '5', '--prepared', 'ready'],
      ...['--state', first.told.stateDir, '--url', first.told.url],
    );
    expect(joined.told.admin).toBeNull();
    expect(joined.told.machines.map(({ status }) => status)).toEqual(['READY', 'READY']);
    expect((await api.machines()).length).toBe(8);
    expect(await exitOf(joined.child, 'SIGINT')).toBe(0);
    await expect(stat(joined.told.stateDir)).rejects.toThrow('ENOENT');
    expect((await api.machines()).length).toBe(8);
  });

  test('ends by SIGTERM with 0, and nothing is left', async () => {
    expect(await exitOf(first.child, 'SIGTERM')).toBe(0);
    await expectNothingLeft(first);
  });

  test('the same seed gives the same hardware; unprepared machines are switched on and enlist; without its Ingot it ends with 1', async () => {
    const second = await sim(...fleet, '--port', String(await freePort()));
    expect(hardwareOf(second.told)).toEqual(hardwareOf(first.told));
    const again = nativeClient(path.join(second.told.stateDir, 'run/api.sock'));
    await waitFor('five of them to enlist', 60_000, async () =>
      (await again.machines()).filter(({ status }) => status === 'NEW').length >= 5 ? true : undefined,
    );
    const ended = exitOf(second.child);
    const up = await processesUnder(second.child.pid ?? 0, 'ingot.mjs');
    expect(up.length).toBeGreaterThan(0);
    for (const pid of up) process.kill(pid, 'SIGKILL');
    expect(await ended).toBe(1);
    await expectNothingLeft(second);
  });
});

/** Descendants of a process whose command line names this program. */
async function processesUnder(parent: number, program: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = new Map<number, number>();
  for (const pid of pids) {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    parents.set(pid, Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const isUnder = (pid: number): boolean => {
    const up = parents.get(pid);
    return up !== undefined && up > 1 && (up === parent || isUnder(up));
  };
  const found: number[] = [];
  for (const pid of pids.filter(isUnder)) {
    const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (line.includes(program) && line.includes('\0up\0')) found.push(pid);
  }
  return found;
}

test.each([
  ['--machines', '0'],
  ['--prepared', 'later'],
  ['--fault', '2=broken'],
  ['--url', 'http://127.0.0.1:1'],
])('what is asked for wrongly (%s %s) ends with 2 and a line that names it', async (...argv) => {
  const { child, words } = start(...argv);
  expect(await exitOf(child)).toBe(2);
  expect(words()).toMatch(/^lab sim: .+\n$/);
});
