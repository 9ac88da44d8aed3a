import { type Boot, PowerGone, sleep } from './boot.ts';
import type { Answer } from './forward.ts';

/** The region said no for good; asking again would not help. */
export class Refused extends Error {
  readonly status: number;
  constructor(status: number, text: string) {
    super(`the region answered ${status}: ${text.slice(0, 500)}`);
    this.status = status;
  }
}

const RETRY_MS = 100;

/** Asks until the region answers: a region that is away is waited for as long as the power lasts. */
export async function ask(
  boot: Boot,
  method: 'GET' | 'POST',
  path: string,
  headers: () => Record<string, string>,
  body: unknown = null,
): Promise<Answer> {
  const text = body === null ? null : JSON.stringify(body);
  for (;;) {
    const all = text === null ? headers() : { ...headers(), 'content-type': 'application/json' };
    let answer: Answer | null = null;
    try {
      answer = await boot.forward({ method, path, headers: all, body: text, signal: boot.signal });
    } catch {
      // Away; the pause below ends with the power.
      if (boot.signal.aborted) throw new PowerGone();
    }
    if (answer && answer.status < 300) return answer;
    if (answer && answer.status < 500 && answer.status !== 429) throw new Refused(answer.status, answer.text);
    await sleep(RETRY_MS, boot.signal);
  }
}
