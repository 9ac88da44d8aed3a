import { createServer, type IncomingHttpHeaders } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { type Parameters, PowerFailure } from './driver.ts';
import { isFound, pythonPattern } from './python-pattern.ts';
import { webhookDriver } from './webhook-driver.ts';

interface Seen {
  request: string;
  headers: IncomingHttpHeaders;
}

interface Site {
  url: string;
  seen: Seen[];
  state: { text: string; status: number; location?: string };
  notes: string[];
  call: { signal: AbortSignal; systemId: string; note(text: string): void };
  parameters: Parameters;
  close(): Promise<void>;
}

const open: Site[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((site) => site.close()));
});

/** A service of a site: POST switches, GET tells. */
async function site(): Promise<Site> {
  const seen: Seen[] = [];
  const state: Site['state'] = { text: '{"status": "stopped"}', status: 200 };
  const server = createServer((request, response) => {
    seen.push({ request: `${request.method} ${request.url}`, headers: request.headers });
    request.resume();
    if (state.location !== undefined) response.writeHead(307, { location: state.location }).end();
    else if (state.status !== 200) response.writeHead(state.status).end('no');
    else if (request.url?.startsWith('/slashed') && !request.url.endsWith('/')) response.writeHead(404).end();
    else {
      if (request.method === 'POST')
        state.text = `{"status": "${request.url?.includes('on') ? 'running' : 'stopped'}"}`;
      response.end(state.text);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const url = `http://127.0.0.1:${typeof bound === 'object' && bound ? bound.port : 0}`;
  const notes: string[] = [];
  const made: Site = {
    url,
    seen,
    state,
    notes,
    call: { signal: new AbortController().signal, systemId: '4y3h7n', note: (text) => void notes.push(text) },
    parameters: {
      power_on_uri: `${url}/on?key=s3cret`,
      power_off_uri: `${url}/off?key=s3cret`,
      power_query_uri: `${url}/query?key=s3cret`,
      power_user: 'ops',
      power_pass: 'pässword',
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  open.push(made);
  return made;
}

async function failureOf(promise: Promise<unknown>): Promise<PowerFailure> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof PowerFailure)) throw error;
  return error;
}

const BOOT = { from: 'network', firmware: 'auto' } as const;

describe('a webhook', () => {
  it('is asked before it is told, so that a running machine is left alone', async () => {
    const at = await site();
    expect(await webhookDriver.query(at.parameters, at.call)).toBe('off');
    expect(await webhookDriver.on(at.parameters, BOOT, at.call)).toBe('sent');
    expect(await webhookDriver.on(at.parameters, BOOT, at.call)).toBe('already');
    expect(await webhookDriver.off(at.parameters, false, at.call)).toBe('sent');
    expect(await webhookDriver.off(at.parameters, false, at.call)).toBe('already');
    const posts = at.seen.map(({ request }) => request).filter((request) => request.startsWith('POST'));
    expect(posts).toEqual(['POST /on?key=s3cret', 'POST /off?key=s3cret']);
  });

  it('is told which machine is meant, and who asks: by token, else by user and password', async () => {
    const at = await site();
    await webhookDriver.query(at.parameters, at.call);
    await webhookDriver.query({ ...at.parameters, power_token: 'tok-1' }, at.call);
    await webhookDriver.query({ ...at.parameters, power_user: '' }, at.call);
    const basic = `Basic ${Buffer.from('ops:pässword').toString('base64')}`;
    expect(at.seen.map(({ headers }) => headers.authorization)).toEqual([basic, 'Bearer tok-1', undefined]);
    expect(at.seen[0]?.headers).toMatchObject({ system_id: '4y3h7n', accept: 'application/json' });
  });

  it('is believed by the patterns alone: neither found is unknown, and unknown is switched', async () => {
    const at = await site();
    at.state.text = 'Machine is UP';
    expect(await webhookDriver.query(at.parameters, at.call)).toBe('unknown');
    const patterns = { ...at.parameters, power_on_regex: '(?i)is (?P<state>up)', power_off_regex: 'is down\\Z' };
    expect(await webhookDriver.query(patterns, at.call)).toBe('on');
    at.state.text = 'is down';
    expect(await webhookDriver.query(patterns, at.call)).toBe('off');
    at.state.text = 'who knows';
    expect(await webhookDriver.on(patterns, BOOT, at.call)).toBe('sent');
  });

  it('cannot ask the operating system: a soft off fails so that the hard one follows', async () => {
    const at = await site();
    at.state.text = 'status: running';
    expect((await failureOf(webhookDriver.off(at.parameters, true, at.call))).failure).toBe('action');
    expect(at.seen.map(({ request }) => request)).toEqual(['GET /query?key=s3cret']);
  });

  it('is asked again with a slash when it knows the address only so', async () => {
    const at = await site();
    expect(await webhookDriver.query({ ...at.parameters, power_query_uri: `${at.url}/slashed` }, at.call)).toBe('off');
    expect(at.seen.map(({ request }) => request)).toEqual(['GET /slashed', 'GET /slashed/']);
  });

  it('that refuses is named by class, and no secret is in the message', async () => {
    const at = await site();
    const classes: string[] = [];
    const messages: string[] = [];
    for (const status of [401, 403, 500]) {
      at.state.status = status;
      const failure = await failureOf(webhookDriver.on(at.parameters, BOOT, at.call));
      classes.push(failure.failure);
      messages.push(failure.message);
    }
    await at.close();
    const away = await failureOf(webhookDriver.query(at.parameters, at.call));
    expect([...classes, away.failure]).toEqual(['auth', 'auth', 'action', 'connection']);
    expect([...messages, away.message, ...at.notes].join()).not.toMatch(/s3cret|pässword/);
  });

  /**
   * @fault A webhook redirects the rack to another address.
   * @sees "Failed talking to node's BMC: … redirected to …: not followed, as the credentials are for … alone" (power.fatal).
   * @ends The other address is never asked, so it gets neither token nor password; nothing is switched.
   */
  it('that redirects elsewhere is not followed', async () => {
    const [at, thief] = [await site(), await site()];
    at.state.location = `${thief.url}/query`;
    const failure = await failureOf(webhookDriver.query(at.parameters, at.call));
    expect(failure).toMatchObject({
      failure: 'fatal',
      message: expect.stringContaining(`redirected to ${thief.url}: not followed`),
    });
    expect(thief.seen).toEqual([]);
  });

  /**
   * @fault The pattern for a webhook's answer needs time without end, as `(a+)+$` does.
   * @sees "Missing or invalid power setting: power_on_regex takes too long over the answer of …" (power.setting).
   * @ends The search is stopped after a quarter of a second; the rack goes on serving.
   */
  it('a pattern without end is stopped', async () => {
    const at = await site();
    at.state.text = `${'a'.repeat(64)}!`;
    const failure = await failureOf(webhookDriver.query({ ...at.parameters, power_on_regex: '(a+)+$' }, at.call));
    expect(failure).toMatchObject({
      failure: 'setting',
      message: expect.stringContaining('power_on_regex takes too long'),
    });
  });

  it('settings that cannot work are named, and no value is repeated', async () => {
    const at = await site();
    const setting = async (more: Parameters) => {
      const failure = await failureOf(webhookDriver.query({ ...at.parameters, ...more }, at.call));
      expect(failure.failure).toBe('setting');
      expect(failure.message).not.toContain('s3cret');
      return failure.message;
    };
    expect(await setting({ power_off_uri: '' })).toContain('power_off_uri is empty');
    expect(await setting({ power_query_uri: 'file:///s3cret' })).toContain('power_query_uri is no http');
    expect(await setting({ power_query_uri: 'http://u:s3cret@a/' })).toContain('carries credentials');
    expect(await setting({ power_on_regex: '(s3cret' })).toContain('power_on_regex is no regular expression');
    expect(at.seen).toEqual([]);
  });
});

describe("Python's regular expressions", () => {
  const finds = (pattern: string, text: string) => {
    const made = pythonPattern(pattern);
    return made === null ? null : isFound(made, text);
  };

  it('are read as Python reads them', () => {
    expect(finds('status.*\\:.*running', '{"status": "running"}')).toBe(true);
    expect(finds('status.*\\:.*running', 'status:\nrunning')).toBe(false);
    expect(finds('(?s)status.*running', 'status:\nrunning')).toBe(true);
    expect(finds('\\Aup\\Z', 'up')).toBe(true);
    expect(finds('(?m)\\Aup', 'is\nup')).toBe(false);
    expect(finds('(?P<q>["\'])on(?P=q)', '"on"')).toBe(true);
    expect(finds('(unclosed', '')).toBeNull();
  });
});
