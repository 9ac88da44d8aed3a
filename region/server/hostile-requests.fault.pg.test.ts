import net from 'node:net';
import { ApiError } from '@ingot/contract/native.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Answer, type ServedRegion, startServedRegion } from '../testing/served-region.ts';

// A whole region behind real sockets, asked by whoever wishes it ill. The seeds are kept: a failure repeats.

const SEED = 20260302;
const MIB = 1024 * 1024;
const LIMITS = { headersMs: 700, requestMs: 2000, checkMs: 100, connections: 500 };

let region: ServedRegion;
beforeAll(async () => {
  region = await startServedRegion(LIMITS);
});
afterAll(() => region?.stop());

/** Sends bytes as they are and gives back all that comes until the connection ends, by whichever side. */
function raw(bytes: Buffer | string, options: { keepOpen?: boolean; drip?: string } = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(region.port, '127.0.0.1');
    const parts: Buffer[] = [];
    const dripping = options.drip === undefined ? undefined : setInterval(() => socket.write(options.drip ?? ''), 50);
    socket.setTimeout(15_000, () => socket.destroy(new Error('the region keeps the connection open')));
    socket.on('data', (part) => parts.push(part));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearInterval(dripping);
      // Cut while we were still sending: that is an end too.
      if (error.code === 'EPIPE' || error.code === 'ECONNRESET') resolve(Buffer.concat(parts).toString('latin1'));
      else reject(error);
    });
    socket.on('close', () => {
      clearInterval(dripping);
      resolve(Buffer.concat(parts).toString('latin1'));
    });
    if (options.keepOpen) socket.write(bytes);
    else socket.end(bytes);
  });
}

async function stillServes(): Promise<void> {
  expect((await region.ask({ method: 'GET', path: '/healthz' })).status).toBe(200);
}

describe('slow', () => {
  /**
   * @fault 300 clients send the head of a request one byte at a time.
   * @sees Others are served meanwhile; a slow client gets 408 Request Timeout and a closed connection.
   * @ends Every such connection is closed at the limit for heads (20 s).
   */
  test('heads that do not end are cut, and others are served meanwhile', async () => {
    const began = performance.now();
    const slow = Array.from({ length: 300 }, () =>
      raw('GET /healthz HTTP/1.1\r\nHost: x\r\n', { keepOpen: true, drip: 'a' }),
    );
    await stillServes();
    const answers = await Promise.all(slow);
    expect(performance.now() - began).toBeLessThan(12_000);
    for (const answer of answers) expect(answer).toMatch(/^(HTTP\/1.1 408 |$)/);
    expect(answers.filter((answer) => answer !== '').length).toBeGreaterThan(0);
    await stillServes();
  });

  /**
   * @fault Clients send the body of a request one byte at a time, to each API and without a login.
   * @sees Others are served meanwhile; a slow client gets 401 or 408 and a closed connection.
   * @ends Every such connection is closed at the limit for whole requests (300 s).
   */
  test.each(['/api/v1/login', '/MAAS/api/2.0/machines/', '/MAAS/metadata/status/abc', '/agent/v1/session'])(
    'a body for %s that does not end is cut',
    async (at) => {
      const head = `POST ${at} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10000\r\n\r\n{`;
      const slow = Array.from({ length: 20 }, () => raw(head, { keepOpen: true, drip: ' ' }));
      await stillServes();
      for (const answer of await Promise.all(slow)) expect(answer).toMatch(/^(HTTP\/1.1 4\d\d |$)/);
    },
  );
});

describe('more connections than a server may hold', () => {
  const CONNECTIONS = 60;
  const BEYOND = 20;
  let small: ServedRegion;
  // Heads may take so long here that no idle connection ends before the test is through.
  beforeAll(async () => {
    small = await startServedRegion({ ...LIMITS, headersMs: 30_000, requestMs: 60_000, connections: CONNECTIONS });
  });
  afterAll(() => small?.stop());

  const connect = () =>
    new Promise<net.Socket>((resolve, reject) => {
      const socket = net.connect(small.port, '127.0.0.1', () => resolve(socket));
      socket.once('error', reject);
      socket.once('close', () => resolve(socket));
    });

  /** Asks over a connection that stays open, and gives the answer's first line. */
  const healthOver = (socket: net.Socket) =>
    new Promise<string>((resolve, reject) => {
      socket.once('data', (part) => resolve(part.toString('latin1').split('\r\n')[0] ?? ''));
      socket.once('close', () => reject(new Error('closed')));
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    });

  /**
   * @fault More connections are opened than a server may hold.
   * @sees The newest are closed at once; those that are served go on.
   * @ends When some of the others are gone the next client is served.
   */
  test('the newest are closed at once, those that are served go on, and the next is served when there is room', async () => {
    const served = await connect();
    expect(await healthOver(served)).toBe('HTTP/1.1 200 OK');
    const idle = await Promise.all(Array.from({ length: CONNECTIONS - 1 }, connect));
    const beyond = await Promise.all(Array.from({ length: BEYOND }, connect));
    await vi.waitFor(() => expect(beyond.filter((socket) => !socket.closed)).toHaveLength(0), 10_000);
    expect(idle.filter((socket) => socket.closed)).toHaveLength(0);
    expect(await healthOver(served)).toBe('HTTP/1.1 200 OK');
    for (const socket of idle) socket.destroy();
    await vi.waitFor(
      async () => expect((await small.ask({ method: 'GET', path: '/healthz' })).status).toBe(200),
      10_000,
    );
    served.destroy();
  });
});

describe('oversized', () => {
  const big = Buffer.alloc(40 * MIB, 0x61);
  /** Eight hundred are sent at once. */
  const BOUND_MIB = 100;
  const json = { 'content-type': 'application/json' };

  /** Runs it and gives what the process grew by meanwhile, at the most, in MiB. Ours and the region's are one process. */
  async function growthDuring(run: () => Promise<void>): Promise<number> {
    const before = process.memoryUsage.rss();
    let peak = before;
    const look = () => {
      peak = Math.max(peak, process.memoryUsage.rss());
    };
    const looking = setInterval(look, 5);
    await run().finally(() => clearInterval(looking));
    look();
    return (peak - before) / MIB;
  }

  /** A body that does not say how long it is, 64 KiB after 64 KiB as they are taken. */
  function endless(at: string): Promise<{ answer: string; sent: number }> {
    return new Promise((resolve) => {
      const socket = net.connect(region.port, '127.0.0.1');
      const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(0x10000, 0x61), Buffer.from('\r\n')]);
      let answer = '';
      const send = () => {
        if (socket.bytesWritten < big.length) socket.write(chunk, () => setImmediate(send));
      };
      socket.on('data', (part) => {
        answer += part.toString('latin1');
      });
      // Cut while we were still sending.
      socket.on('error', () => undefined);
      socket.on('close', () => resolve({ answer, sent: socket.bytesWritten }));
      const head = `POST ${at} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json`;
      socket.write(`${head}\r\nTransfer-Encoding: chunked\r\n\r\n`, send);
    });
  }

  /**
   * @fault A request has a body far beyond what its API takes, or a head beyond 16 KiB.
   * @sees 413 in the API's own error shape (native: code input.too_large), or 431 for the head.
   * @ends The rest is not read; memory does not grow with what is sent.
   */
  test('bodies and heads beyond the limit are refused unread', async () => {
    // Twenty of 40 MiB at once, and twenty that do not say it: were they kept, that would be eight times the bound.
    let answered: Answer[] = [];
    const grown = await growthDuring(async () => {
      const asked = Array.from({ length: 20 }, (_, at) =>
        region
          .ask({ method: 'POST', path: '/api/v1/login', headers: json, body: big, local: at % 2 === 0 })
          // Cut while we were still sending.
          .catch(() => null),
      );
      answered = (await Promise.all(asked)).filter((answer) => answer !== null);
    });
    expect(answered.length).toBeGreaterThan(0);
    for (const { status, text } of answered) {
      expect(status).toBe(413);
      expect(ApiError.parse(JSON.parse(text)).code).toBe('input.too_large');
    }
    expect(grown).toBeLessThan(BOUND_MIB);
    const lengths = (at: string) =>
      raw(`POST ${at} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n`, {
        keepOpen: true,
      });
    expect(await lengths('/api/v1/login')).toContain('"input.too_large"');
    expect(await lengths('/MAAS/api/2.0/machines/')).toMatch(/^HTTP\/1.1 413 (?:.*\r\n)+content-type: text\/plain/i);
    expect(await lengths('/agent/v1/session')).toMatch(/^HTTP\/1.1 413 .*"code":"input.too_large"/s);
    expect(await raw(`GET /healthz HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 /,
    );
    await stillServes();
  });

  /**
   * @fault Twenty clients at once send 40 MiB each without saying how long it is, to each API and without a login.
   * @sees 401, 408 or 413, or 503 from the MAAS API when they are too many, and a closed connection.
   * @ends The rest is not read; memory does not grow with what is sent.
   */
  test.each([
    ['/api/v1/login', BOUND_MIB],
    // It holds up to 256 MiB of bodies, and for a moment each of them twice.
    ['/MAAS/api/2.0/machines/', 256 + 200],
    ['/MAAS/metadata/status/abc', BOUND_MIB],
    ['/agent/v1/session', BOUND_MIB],
  ])('bodies for %s that do not say their length are cut at the limit', { timeout: 30_000 }, async (at, bound) => {
    let ended: { answer: string; sent: number }[] = [];
    const grown = await growthDuring(async () => {
      ended = await Promise.all(Array.from({ length: 20 }, () => endless(at)));
    });
    for (const { answer, sent } of ended) {
      expect(answer).toMatch(/^(HTTP\/1.1 (401|413|408|503) |$)/);
      expect(sent).toBeLessThan(big.length);
    }
    expect(grown).toBeLessThan(bound);
    await stillServes();
  });
});

describe('malformed', () => {
  test('a path that cannot be decoded, or is too long, is none of ours: each API says so in its shape', async () => {
    const get = (path: string) => region.ask({ method: 'GET', path });
    for (const path of ['/api/v1/machines/%ZZ', `/api/v1/machines/${'x'.repeat(600)}`]) {
      const { status, text } = await get(path);
      expect([status, Object.keys(JSON.parse(text))]).toEqual([404, ['code', 'message', 'field', 'fix']]);
    }
    expect(await get('/MAAS/api/2.0/machines/%ZZ/')).toMatchObject({
      status: 404,
      text: 'Unknown API endpoint: /MAAS/api/2.0/machines/%ZZ/.',
    });
  });

  /**
   * @fault Bytes that are no HTTP, or nearly HTTP, come to the region's port.
   * @sees 400 or another refusal of the 4xx kind, and a closed connection.
   * @ends Nothing is left open and the region serves on.
   */
  test('what is no HTTP ends in a refusal', { timeout: 60_000 }, async () => {
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'get', 'PRI', 'CONNECT', 'TRACE', 'X'.repeat(50), '');
    const target = fc.constantFrom(
      '/healthz',
      '/api/v1/machines',
      '/MAAS/api/2.0/machines/?op=%',
      '/MAAS/metadata//',
      '//',
      '*',
      'http://other/',
      '/%00',
      '/%ff%fe',
      '/..%2f..%2fkey',
      `/${'a/'.repeat(2000)}`,
      ' ',
    );
    const header = fc.constantFrom(
      'Transfer-Encoding: chunked',
      'Transfer-Encoding: chunked, chunked',
      'Content-Length: -1',
      'Content-Length: 5',
      'Content-Length: 5\r\nContent-Length: 6',
      'Expect: 100-continue',
      'Upgrade: websocket\r\nConnection: Upgrade',
      'Authorization: OAuth oauth_token="',
      'Authorization: Bearer \u00ff',
      'Cookie: sessionid=\u00e9; =;',
      'Content-Type: multipart/form-data; boundary=',
      'Content-Type: application/json',
      ' folded',
      ':',
    );
    const version = fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/9.9', '');
    const body = fc.oneof(fc.constantFrom('', '{', '5\r\nab', 'zz\r\n', '--\r\n', '0\r\n\r\n'), fc.string());
    const request = fc
      .tuple(method, target, version, fc.array(header, { maxLength: 4 }), body)
      .map(([verb, at, protocol, headers, tail]) =>
        Buffer.from(`${verb} ${at} ${protocol}\r\nHost: x\r\n${headers.join('\r\n')}\r\n\r\n${tail}`, 'latin1'),
      );
    const noise = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof({ weight: 5, arbitrary: request }, noise), { maxLength: 20 }), async (all) => {
        for (const answer of await Promise.all(all.map((bytes) => raw(bytes)))) {
          expect(answer).toMatch(/^(HTTP\/1.1 ([1234]\d\d|501|505) |$)/);
        }
      }),
      { seed: SEED, numRuns: 40 },
    );
    await stillServes();
  });
});
