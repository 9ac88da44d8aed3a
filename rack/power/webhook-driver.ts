import { WEBHOOK } from '@ingot/core/power/webhook.ts';
import { type HttpAnswer, type HttpConnection, openConnection } from '@ingot/protocols/http/exchange.ts';
import { HttpFailure } from '@ingot/protocols/http/failure.ts';
import { type Parameters, type PowerCall, type PowerDriver, PowerFailure } from './driver.ts';
import { isFound } from './python-pattern.ts';
import { type WebhookTarget, webhookTarget } from './webhook-target.ts';

/**
 * Power by requests to services of the site: POST to switch, GET to ask, the answer searched with the user's patterns. The
 * site decides what boots: no boot device is armed. Addresses may hold secrets, so no message repeats more than the host.
 */
export const webhookDriver: PowerDriver = {
  schema: WEBHOOK,
  retryWaitsMs: [1000, 2000, 2000, 4000, 6000, 8000, 12_000],

  query: (parameters, call) => withHook(parameters, call, (hook) => hook.state()),

  on: (parameters, _boot, call) =>
    withHook(parameters, call, async (hook) => {
      if ((await hook.state()) === 'on') return 'already';
      await hook.post('on');
      return 'sent';
    }),

  off: (parameters, soft, call) =>
    withHook(parameters, call, async (hook) => {
      if ((await hook.state()) === 'off') return 'already';
      // The hard one follows at once.
      if (soft) throw new PowerFailure('action', 'a webhook cannot ask the operating system to switch off');
      await hook.post('off');
      return 'sent';
    }),
};

interface Hook {
  state(): Promise<'on' | 'off' | 'unknown'>;
  post(want: 'on' | 'off'): Promise<void>;
}

const LARGEST_ANSWER = 64 << 10;

async function withHook<T>(parameters: Parameters, call: PowerCall, use: (hook: Hook) => Promise<T>): Promise<T> {
  const target = webhookTarget(parameters);
  const connection = openConnection({ verify: target.verify, limits: { maxBytes: LARGEST_ANSWER } });
  try {
    return await use(hookOver(target, connection, call));
  } catch (error) {
    throw error instanceof HttpFailure ? new PowerFailure(error.failure, error.message) : error;
  } finally {
    connection.close();
  }
}

function hookOver(target: WebhookTarget, connection: HttpConnection, call: PowerCall): Hook {
  const headers = {
    accept: 'application/json',
    'user-agent': 'Ingot',
    system_id: call.systemId,
    ...(target.authorization === null ? {} : { authorization: target.authorization }),
  };
  async function send(method: 'GET' | 'POST', url: URL): Promise<HttpAnswer> {
    const answer = await connection.exchange({ method, url, headers }, call.signal);
    if (answer.status !== 404 || url.pathname.endsWith('/')) return answer;
    const slashed = new URL(url);
    slashed.pathname += '/';
    return await connection.exchange({ method, url: slashed, headers }, call.signal);
  }
  async function ask(method: 'GET' | 'POST', url: URL, what: string): Promise<string> {
    const { status, body } = await send(method, url);
    if (status === 401 || status === 403)
      throw new PowerFailure('auth', `${url.host} refused ${what} (HTTP ${status})`);
    if (status >= 300) throw new PowerFailure('action', `${url.host} refused ${what} (HTTP ${status})`);
    return body;
  }
  return {
    state: async () => {
      const body = await ask('GET', target.query, 'the power query');
      const found = (pattern: RegExp, name: string) => {
        const answer = isFound(pattern, body);
        if (answer === null)
          throw new PowerFailure('setting', `${name} takes too long over the answer of ${target.query.host}`);
        return answer;
      };
      if (found(target.isOn, 'power_on_regex')) return 'on';
      return found(target.isOff, 'power_off_regex') ? 'off' : 'unknown';
    },
    post: async (want) => {
      await ask('POST', target[want], `power ${want}`);
      call.note(`the webhook accepted power ${want}`);
    },
  };
}
