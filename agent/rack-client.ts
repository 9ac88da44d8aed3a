import type { Agent } from 'node:https';
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Done,
  DoneReply,
  type Enlist,
  EnlistReply,
  type Inventory,
  type Progress,
  type Report,
  type ScriptOutcome,
  SessionReply,
  type SessionRequest,
  Task,
} from '@ingot/contract/agent.ts';
import { pinnedAgent } from './pinned-connection.ts';

/** The region said no for good; asking again would not help. */
export class Refused extends Error {
  readonly status: number;
  constructor(status: number, text: string) {
    super(`region answered ${status}: ${text}`);
    this.status = status;
  }
}

export interface RackClient {
  session(body: SessionRequest): Promise<SessionReply>;
  /** Null when there was nothing to do for `waitSeconds`. */
  task(waitSeconds: number): Promise<Task | null>;
  progress(body: Progress): Promise<void>;
  result(resultId: number, body: ScriptOutcome): Promise<void>;
  /** Several of both at once, in their order; at most 50. */
  reports(reports: Report[]): Promise<void>;
  inventory(body: Inventory): Promise<void>;
  enlist(body: Enlist): Promise<EnlistReply>;
  done(body: Done): Promise<DoneReply>;
}

const MAX_ANSWER = 8 * 1024 * 1024;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2000;

/**
 * Calls to the region through the rack. A call that meets a network error, a 5xx or a 429 is repeated for ever with pauses up
 * to 2 s: with the region away the machine waits and goes on when it returns; the attempt's deadline is the region's business.
 * Rejects with Refused on any other status.
 */
export function rackClient(
  base: string,
  pin: string,
  token: () => string | null,
  log: (line: string) => void,
): RackClient {
  const agent = pinnedAgent(pin);
  const post = (path: string, body: unknown) =>
    untilAnswered(() => send(agent, base, 'POST', path, token(), JSON.stringify(body), 60_000), log);
  return {
    session: async (body) => SessionReply.parse(JSON.parse(await post('/agent/v1/session', body))),
    task: async (waitSeconds) => {
      const path = `/agent/v1/task?wait=${waitSeconds}`;
      const answer = await untilAnswered(
        () => send(agent, base, 'GET', path, token(), null, (waitSeconds + 30) * 1000),
        log,
      );
      return answer === '' ? null : Task.parse(JSON.parse(answer));
    },
    progress: async (body) => void (await post('/agent/v1/progress', body)),
    result: async (resultId, body) => void (await post(`/agent/v1/results/${resultId}`, body)),
    reports: async (reports) => void (await post('/agent/v1/reports', { reports })),
    inventory: async (body) => void (await post('/agent/v1/inventory', body)),
    enlist: async (body) => EnlistReply.parse(JSON.parse(await post('/agent/v1/enlist', body))),
    done: async (body) => DoneReply.parse(JSON.parse(await post('/agent/v1/done', body))),
  };
}

async function untilAnswered(call: () => Promise<Answer>, log: (line: string) => void): Promise<string> {
  let delay = FIRST_DELAY_MS;
  let lastSaid = Number.NEGATIVE_INFINITY;
  for (;;) {
    let trouble: string;
    try {
      const answer = await call();
      if (answer.status >= 200 && answer.status < 300) return answer.text;
      trouble = `status ${answer.status}`;
      if (answer.status < 500 && answer.status !== 429) throw new Refused(answer.status, answer.text.slice(0, 500));
    } catch (error) {
      if (error instanceof Refused) throw error;
      trouble = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() - lastSaid > 5000) {
      lastSaid = performance.now();
      log(`waiting for the region: ${trouble}`);
    }
    await sleep(delay);
    delay = Math.min(LONGEST_DELAY_MS, delay * 2);
  }
}

interface Answer {
  status: number;
  text: string;
}

function send(
  agent: Agent,
  base: string,
  method: string,
  path: string,
  token: string | null,
  body: string | null,
  timeoutMs: number,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers: Record<string, string> = {};
    if (token !== null) headers.authorization = `Bearer ${token}`;
    if (body !== null) {
      headers['content-type'] = 'application/json';
      headers['content-length'] = String(Buffer.byteLength(body));
    }
    const call = request(`${base}${path}`, { method, agent, headers, timeout: timeoutMs }, (answer) => {
      const parts: Buffer[] = [];
      let size = 0;
      answer.on('data', (part: Buffer) => {
        size += part.length;
        if (size > MAX_ANSWER) call.destroy(new Error('answer is too long'));
        else parts.push(part);
      });
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }));
    });
    call.on('timeout', () => call.destroy(new Error(`no answer in ${timeoutMs / 1000} s`)));
    call.on('error', reject);
    call.end(body ?? undefined);
  });
}
