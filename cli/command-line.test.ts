import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import type { ApiError, AttemptView, MachineView } from '@ingot/contract/native.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseDuration } from './arguments.ts';
import { siteOf } from './client/connection.ts';
import { exitCodeOf } from './client/request.ts';
import { CliFailure, failureText } from './failure.ts';
import { runCommandLine } from './program.ts';
import { parseRange } from './site/network.ts';
import { fakeContext } from './testing/fake-context.ts';
import { at, attempt, machine, phase } from './testing/sample.ts';

let dir: string;
let server: http.Server | null = null;
const asked: { method: string; url: string; body: string }[] = [];

beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'ingot-cli-'));
  mkdirSync(path.join(dir, 'run'));
  asked.length = 0;
});
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  server = null;
  rmSync(dir, { recursive: true, force: true });
});

type Answer = { status?: number; body?: unknown };

/** A region on the local socket that answers as told. */
async function region(answer: (method: string, url: string, count: number) => Answer): Promise<void> {
  const made = http.createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { method = '', url = '' } = request;
      asked.push({ method, url, body });
      const { status = 200, body: value } = answer(method, url, asked.length);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(value === undefined ? '' : JSON.stringify(value));
    });
  });
  server = made;
  await new Promise<void>((resolve) => made.listen(path.join(dir, 'run', 'api.sock'), resolve));
}

async function ingot(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const { context, out, err } = fakeContext(dir);
  try {
    const code = await runCommandLine(argv, context);
    return { code, out: out(), err: err() };
  } catch (error) {
    if (!(error instanceof CliFailure)) throw error;
    return { code: error.exitCode, out: out(), err: err() + failureText(error) };
  }
}

describe('usage', () => {
  it('--help lists every command and exits 0', async () => {
    const { code, out } = await ingot('--help');
    expect(code).toBe(0);
    const commands = [
      'up',
      'region',
      'rack',
      'init',
      'createadmin',
      'apikey',
      'images',
      'network',
      'doctor',
      'machines',
    ];
    const verbs = [
      'machine',
      'commission',
      'allocate',
      'deploy',
      'release',
      'power',
      'ssh',
      'explain',
      'keys',
      'settings',
    ];
    for (const command of [...commands, ...verbs]) expect(out).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'));
  });

  it.each([
    [['machines', '--nothing']],
    [['fly']],
    [['deploy']],
    [['machines', '-o', 'xml']],
    [['images', 'build', 'kernel']],
    [['deploy', 'web1', '--wait', '--timeout', 'soon']],
    [['network', 'serve', '10.0.0.0/24', '--range', 'all']],
    [['deploy', 'web1', '--user-data', '/nowhere/at/all']],
  ])('%s is wrong: one line and exit 2', async (argv) => {
    await region(() => ({ body: machine() }));
    const { code, out, err } = await ingot(...argv);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err.split('\n')[0]).not.toBe('');
    expect(err).not.toMatch(/\n {4}at /);
  });

  it('reads times, ranges and addresses of sites', () => {
    expect(parseDuration('45m', '--timeout')).toBe(2_700_000);
    expect(parseDuration('90', '--timeout')).toBe(90_000);
    expect(parseRange('10.0.0.1-10.0.0.9')).toEqual({ start: '10.0.0.1', end: '10.0.0.9' });
    expect(siteOf('http://host:5240/MAAS/')).toBe('http://host:5240');
    expect(() => siteOf('host')).toThrow(CliFailure);
    expect([200, 400, 401, 403, 404, 409, 429, 500, 503].map((status) => exitCodeOf(status))).toEqual([
      1, 2, 4, 4, 2, 4, 1, 1, 4,
    ]);
  });
});

describe('talking to the region', () => {
  it('without a region says what to do', async () => {
    const { code, err } = await ingot('machines');
    expect(code).toBe(1);
    expect(err).toContain('ingot up');
  });

  it('a filter goes to the region; a pipe gets a table without colours, -o json the objects', async () => {
    await region(() => ({ body: [machine()] }));
    expect((await ingot('machines', 'status:ready', 'cpu:>=2')).out).toContain('web1  Ready');
    expect(asked[0]?.url).toBe('/api/v1/machines?filter=status%3Aready%20cpu%3A%3E%3D2');
    const json = await ingot('machines', '-o', 'json');
    expect(JSON.parse(json.out)).toEqual([machine()]);
  });

  it('a refusal is one line with its code and what to do, exit 4', async () => {
    const problem: ApiError = { code: 'locked', message: 'web1 is locked.', field: null, fix: 'Unlock it first.' };
    await region(() => ({ status: 403, body: problem }));
    const { code, err } = await ingot('release', 'web1', '--erase');
    expect(code).toBe(4);
    expect(err).toBe('ingot: web1 is locked (locked) → Unlock it first.\n');
    expect(asked[0]).toMatchObject({ method: 'POST', url: '/api/v1/machines/web1/actions/release' });
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ erase: true });
  });

  it('settings are listed, shown one by one, and changed several at once; a value is JSON where it reads as such', async () => {
    await region(() => ({ body: { kexec: true, fast_track: 15, maas_name: 'lab 1', upstream_dns: null } }));
    expect((await ingot('settings')).out.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['NAME', 'VALUE'],
      ['fast_track', '15'],
      ['kexec', 'true'],
      ['maas_name', 'lab 1'],
      ['upstream_dns', 'null'],
      [''],
    ]);
    expect(JSON.parse((await ingot('settings', 'kexec', '-o', 'json')).out)).toEqual({ kexec: true });
    const { out } = await ingot('settings', 'kexec=true', 'fast_track=15', 'maas_name=lab 1');
    expect(out).toMatch(/kexec +true\nfast_track +15\nmaas_name +lab 1\n$/);
    expect(asked.map(({ method }) => method)).toEqual(['GET', 'GET', 'POST']);
    expect(JSON.parse(asked[2]?.body ?? '')).toEqual({ kexec: true, fast_track: 15, maas_name: 'lab 1' });
    const unknown = await ingot('settings', 'fast_trak');
    expect(unknown).toMatchObject({ code: 2, out: '' });
    expect(unknown.err).toContain('no setting fast_trak');
  });

  it('rack token prints the one line to run on the new rack, and asks as any command does', async () => {
    const made = {
      token: `${'s'.repeat(43)}.${'a'.repeat(64)}`,
      expires: '2026-01-01T00:00:00Z',
      url: 'https://10.0.0.1:5250',
    };
    await region(() => ({ body: made }));
    const line = `ingot rack enroll https://10.0.0.1:5250 ${made.token}\n`;
    expect(await ingot('rack', 'token')).toEqual({ code: 0, out: line, err: '' });
    expect((await ingot('--state', dir, 'rack', 'token')).out).toBe(line);
    expect(JSON.parse((await ingot('rack', 'token', '-o', 'json')).out)).toEqual(made);
    expect(asked.map(({ method, url }) => `${method} ${url}`)).toEqual(Array(3).fill('POST /api/v1/racks/tokens'));
  });

  it('deploy sends the user data as it is, whatever its bytes', async () => {
    await region(() => ({ body: machine({ status: 'DEPLOYING', statusName: 'Deploying' }) }));
    const file = path.join(dir, 'data');
    writeFileSync(file, Buffer.from([0, 255, 10]));
    const { code, out } = await ingot('deploy', 'web1', '--image', 'bookworm', '--user-data', file);
    expect(code).toBe(0);
    expect(out).toBe('web1: Deploying\n');
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({
      image: 'bookworm',
      userData: 'AP8K',
      userDataEncoding: 'base64',
    });
  });

  it('a private key is not sent anywhere', async () => {
    await region(() => ({ body: {} }));
    const file = path.join(dir, 'id');
    writeFileSync(file, '-----BEGIN OPENSSH PRIVATE KEY-----\n');
    expect((await ingot('keys', 'add', file)).code).toBe(2);
    expect(asked).toEqual([]);
  });
});

describe('--wait', () => {
  const work = (over: Partial<AttemptView>): MachineView =>
    machine({
      status: 'COMMISSIONING',
      statusName: 'Commissioning',
      waitingFor: { code: 'power', since: at(0), deadline: at(60) },
      attempt: attempt({ kind: 'commission', ...over }),
    });

  function story(steps: MachineView[], attempts: AttemptView[]) {
    let step = 0;
    return region((method, url) => {
      if (url.endsWith('/attempts')) return { body: attempts };
      if (method === 'POST') return { body: steps[0] };
      step = Math.min(step + 1, steps.length - 1);
      return { body: steps[step] };
    });
  }

  it('shows each phase once it begins and ends, follows the tests after it, and exits 0', async () => {
    const passed = attempt({ kind: 'commission', endedAt: at(9), outcome: 'passed' });
    const testing = attempt({ id: 8, kind: 'test', phases: [phase('script:smartctl', 9, 12)] });
    const tested = { ...testing, endedAt: at(12), outcome: 'passed' as const };
    await story(
      [work({ phases: [phase('power', 0, null)] }), { ...work({}), attempt: testing }, machine({ attempt: tested })],
      [tested, passed],
    );
    const { code, out, err } = await ingot('commission', 'web1', '--wait');
    expect(code).toBe(0);
    expect(out).toBe('web1: Ready\n');
    expect(err).toContain('commission web1\n  … power\n');
    expect(err).toMatch(/test web1\n {2}✓ script:smartctl/);
  });

  it('a failure is told with code and way out, exit 1', async () => {
    const failure = { code: 'stuck.dhcp', message: 'No DHCP request came.', evidence: null, fix: 'Check the cable.' };
    const failed = attempt({ kind: 'commission', endedAt: at(60), outcome: 'failed', failure });
    await story([work({}), machine({ status: 'FAILED_COMMISSIONING', attempt: failed })], [failed]);
    const { code, err } = await ingot('commission', 'web1', '--wait');
    expect(code).toBe(1);
    expect(err).toContain('stuck.dhcp: No DHCP request came.');
    expect(err).toContain('→ Check the cable.');
  });

  it('gives up after its time with exit 3', async () => {
    await story([work({})], []);
    const { code, err } = await ingot('commission', 'web1', '--wait', '--timeout', '600ms');
    expect(code).toBe(3);
    expect(err).toContain('the work goes on');
  });

  it('a region that is restarted meanwhile is waited for', async () => {
    const passed = attempt({ kind: 'commission', endedAt: at(9), outcome: 'passed' });
    let count = 0;
    await region((method, url) => {
      if (url.endsWith('/attempts')) return { body: [passed] };
      if (method === 'POST') return { body: work({}) };
      count += 1;
      if (count === 1) server?.closeAllConnections();
      return { body: machine({ attempt: passed }) };
    });
    expect((await ingot('commission', 'web1', '--wait')).code).toBe(0);
    expect(count).toBeGreaterThan(1);
  });

  it('a machine that goes away with its release is no failure', async () => {
    await region((method) =>
      method === 'POST'
        ? { body: work({ kind: 'release' }) }
        : { status: 404, body: { code: 'not_found', message: 'gone', field: null, fix: 'x' } },
    );
    const { code, out } = await ingot('release', 'web1', '--wait');
    expect([code, out]).toEqual([0, 'web1 is gone.\n']);
  });
});
