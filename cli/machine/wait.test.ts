import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import type { MachineView } from '@ingot/contract/native.ts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runCommandLine } from '../program.ts';
import { fakeContext } from '../testing/fake-context.ts';
import { at, attempt, machine } from '../testing/sample.ts';

let dir: string;
let server: http.Server;
/** What the region says of the machine, one after the other; the last one stays. */
let says: MachineView[];

beforeEach(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'ingot-cli-'));
  mkdirSync(path.join(dir, 'run'));
  server = http.createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'application/json' });
    if (request.url?.endsWith('/attempts')) return response.end(JSON.stringify([attempt({ outcome: 'passed' })]));
    response.end(JSON.stringify(says.length > 1 ? says.shift() : says[0]));
  });
  await new Promise<void>((resolve) => server.listen(path.join(dir, 'run', 'api.sock'), resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  rmSync(dir, { recursive: true, force: true });
});

const booting = (powerState: 'on' | 'off'): MachineView =>
  machine({
    status: 'DEPLOYED',
    statusName: 'Deployed',
    powerState,
    attempt: attempt(),
    waitingFor: { code: 'first-boot', since: at(0), deadline: at(1800) },
  });

it('power off --wait is over when the machine is off, not when a first boot would have been given up', async () => {
  says = [booting('on'), booting('on'), booting('off')];
  const { context, out } = fakeContext(dir);
  expect(await runCommandLine(['power', 'web1', 'off', '--soft', '--wait', '--timeout', '20s'], context)).toBe(0);
  expect(out()).toBe('web1: Deployed\n');
});

it('what was taken for off before the order is no proof: the work is followed to its end', async () => {
  const ended = attempt({ endedAt: at(9), outcome: 'passed' });
  const rest = { ...booting('on'), attempt: ended, waitingFor: null };
  says = [booting('off'), booting('off'), rest];
  const { context } = fakeContext(dir);
  expect(await runCommandLine(['power', 'web1', 'off', '--wait', '--timeout', '20s'], context)).toBe(0);
  expect(says).toEqual([rest]);
});
