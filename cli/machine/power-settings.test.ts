import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CliFailure } from '../failure.ts';
import { runCommandLine } from '../program.ts';
import { fakeContext } from '../testing/fake-context.ts';
import { machine } from '../testing/sample.ts';

const field = (name: string, more: object = {}) => ({
  name,
  label: name.replace('power_', ''),
  kind: 'string',
  required: false,
  secret: false,
  choices: [],
  default: '',
  ...more,
});
const IPMI = {
  name: 'ipmi',
  description: 'IPMI',
  sharesBmc: false,
  queryable: true,
  fields: [field('power_address', { required: true }), field('power_pass', { secret: true, kind: 'password' })],
};
const MANUAL = { ...IPMI, name: 'manual', description: 'Manual', queryable: false, fields: [] };

let dir: string;
let server: http.Server;
let settings: { powerType: string; parameters: Record<string, string> };
let refusal: object | null;
const patched: unknown[] = [];

// A region that keeps what it is sent, and answers without the secret as the real one does.
beforeEach(async () => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'ingot-cli-'));
  mkdirSync(path.join(dir, 'run'));
  settings = { powerType: '', parameters: {} };
  refusal = null;
  patched.length = 0;
  server = http.createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const answer = (status: number, value: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (request.method === 'PATCH') {
      const body = JSON.parse(text);
      patched.push(body);
      if (refusal) return answer(400, refusal);
      const { power_pass: _, ...open } = body.powerParameters ?? {};
      settings = { powerType: body.powerType ?? settings.powerType, parameters: open };
      return answer(200, machine());
    }
    return answer(200, request.url?.endsWith('/power-types') ? [IPMI, MANUAL] : settings);
  });
  await new Promise<void>((resolve) => server.listen(path.join(dir, 'run', 'api.sock'), resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  rmSync(dir, { recursive: true, force: true });
});

async function ingot(...argv: string[]): Promise<{ code: number; out: string; message: string }> {
  const { context, out } = fakeContext(dir);
  try {
    return { code: await runCommandLine(argv, context), out: out(), message: '' };
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error;
    return { code: error.exitCode, out: out(), message: error.message };
  }
}

it('a machine without a power type is told which there are', async () => {
  expect((await ingot('power-settings', 'web1')).out).toBe(
    'web1 has no power type yet. Set one with: ingot power-settings web1 --type TYPE\nTypes: ipmi, manual\n',
  );
  expect(patched).toEqual([]);
});

it('sets type and fields, a password from a file, and shows no secret', async () => {
  writeFileSync(path.join(dir, 'pass'), 'hidden=too\n');
  const { code, out } = await ingot(
    ...['power-settings', 'web1', '--type', 'ipmi', '--set', 'power_address=10.0.0.9', `power_pass=@${dir}/pass`],
  );
  expect(code).toBe(0);
  expect(patched).toEqual([
    { powerType: 'ipmi', powerParameters: { power_address: '10.0.0.9', power_pass: 'hidden=too' } },
  ]);
  expect(out.split('\n')).toEqual([
    'web1: ipmi (IPMI)',
    'FIELD          VALUE          MEANING',
    'power_address  10.0.0.9       address; required',
    'power_pass     (never shown)  pass',
    '',
  ]);
});

it('a type alone keeps the fields out of the request', async () => {
  expect((await ingot('power-settings', 'web1', '--type', 'manual')).out).toBe('web1: manual (Manual)\n');
  expect(patched).toEqual([{ powerType: 'manual' }]);
});

it("the region's word about a field is the error, exit 2", async () => {
  refusal = { code: 'input.invalid', message: 'power type ipmi needs it (Address).', field: 'x', fix: 'Give it.' };
  const { code, out, message } = await ingot('power-settings', 'web1', '--type', 'ipmi');
  expect([code, out, message]).toEqual([2, '', 'power type ipmi needs it (Address)']);
});

it('what is no FIELD=VALUE is not repeated: it may be a password', async () => {
  const { code, message } = await ingot('power-settings', 'web1', '--set', 'secret-words');
  expect([code, message]).toEqual([2, '--set takes FIELD=VALUE']);
  expect(patched).toEqual([]);
});
