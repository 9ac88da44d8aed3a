import { randomUUID } from 'node:crypto';
import type { InstallPlan } from '@ingot/contract/agent.ts';
import { parse } from 'yaml';
import * as z from 'zod';
import { type Boot, hang, hangIf } from './boot.ts';
import { ask, Refused } from './region-calls.ts';

const Keys = { consumer_key: z.string(), token_key: z.string(), token_secret: z.string() };
const Datasource = z.object({ datasource: z.object({ MAAS: z.object({ metadata_url: z.string(), ...Keys }) }) });
const Reporting = z.object({ reporting: z.object({ maas: z.object({ endpoint: z.string(), ...Keys }) }) });

function parsed<T>(plan: InstallPlan, ending: string, schema: z.ZodType<T>): T {
  const file = plan.files.find(({ path }) => path.endsWith(ending));
  if (!file) throw new Error(`the install plan has no ${ending}`);
  return schema.parse(parse(file.content));
}

/** As cloud-init signs: OAuth 1.0 PLAINTEXT, a new nonce each time. */
function signature(keys: { consumer_key: string; token_key: string; token_secret: string }): string {
  const parts = {
    oauth_nonce: randomUUID(),
    oauth_timestamp: String(Math.round(Date.now() / 1000)),
    oauth_version: '1.0',
    oauth_signature_method: 'PLAINTEXT',
    oauth_consumer_key: keys.consumer_key,
    oauth_token: keys.token_key,
    oauth_signature: `%26${keys.token_secret}`,
  };
  return `OAuth ${Object.entries(parts)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}`;
}

export interface FirstBoot {
  hostname: string;
  publicKeys: string;
  /** Null: there is none. */
  userData: string | null;
}

/**
 * Plays the system that the plan wrote: cloud-init reads its metadata with the token it found on its disk and reports each
 * stage, then runs until the power goes. `onRead` is told what it read.
 */
export async function runInstalled(boot: Boot, plan: InstallPlan, onRead: (read: FirstBoot) => void): Promise<never> {
  const { MAAS: datasource } = parsed(plan, 'datasource.cfg', Datasource).datasource;
  const { maas: reporting } = parsed(plan, 'reporting.cfg', Reporting).reporting;
  const base = `${new URL(datasource.metadata_url).pathname}2012-03-01`;
  const read = async (item: string): Promise<string | null> => {
    const headers = () => ({ authorization: signature(datasource) });
    try {
      return (await ask(boot, 'GET', `${base}/${item}`, headers)).text;
    } catch (error) {
      if (error instanceof Refused && error.status === 404) return null;
      throw error;
    }
  };
  const tell = async (event_type: 'start' | 'finish', name: string) => {
    const event = { event_type, origin: 'cloudinit', name, description: `running ${name}`, result: 'SUCCESS' };
    const headers = () => ({ authorization: signature(reporting) });
    await ask(boot, 'POST', new URL(reporting.endpoint).pathname, headers, event);
  };
  try {
    await tell('start', 'init-network');
    const hostname = (await read('meta-data/local-hostname')) ?? '';
    const publicKeys = (await read('meta-data/public-keys')) ?? '';
    const userData = await read('user-data');
    onRead({ hostname, publicKeys, userData });
    await tell('finish', 'init-network');
    await boot.pause('cloud-init');
    await hangIf(boot.faults().stopAt === 'first-boot', boot.signal);
    await tell('finish', 'modules-final');
  } catch (error) {
    // Released meanwhile: the token is void, the system runs on.
    if (!(error instanceof Refused)) throw error;
  }
  return hang(boot.signal);
}
