import { join } from 'node:path';
import type { EnrollRequest } from '@ingot/contract/rack.ts';
import { loadIdentity } from './identity/identity.ts';

export type Enrolled = { ok: true; rack: string } | { ok: false; message: string };

const DEADLINE_MS = 15_000;

/** Makes this rack known to a region with a one-time token. `url` is the region's base, e.g. http://region:5240. */
export async function enroll(stateDir: string, name: string, url: string, token: string): Promise<Enrolled> {
  const identity = await loadIdentity(join(stateDir, 'rack', 'identity'));
  const body: EnrollRequest = { token, rack: identity.rack, name, publicKey: identity.publicKey };
  try {
    const answer = await fetch(new URL('/rack/v1/enroll', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(DEADLINE_MS),
      // The token must not wander to another origin.
      redirect: 'error',
    });
    if (answer.ok) return { ok: true, rack: identity.rack };
    return { ok: false, message: `the region refused: ${answer.status} ${(await answer.text()).slice(0, 500)}` };
  } catch (error) {
    return { ok: false, message: `the region could not be asked: ${error instanceof Error ? error.message : error}` };
  }
}
