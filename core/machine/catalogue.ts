import { ACCOUNTS } from './catalogue-accounts.ts';
import { FAILURES } from './catalogue-failures.ts';
import { IMAGES } from './catalogue-images.ts';
import { MACHINES } from './catalogue-machines.ts';
import { NETWORKS } from './catalogue-networks.ts';
import { PLAN } from './catalogue-plan.ts';
import { RACKS } from './catalogue-racks.ts';
import { REFUSALS } from './catalogue-refusals.ts';
import { REQUESTS } from './catalogue-requests.ts';
import type { Failure, Refusal } from './model.ts';

/**
 * Every code that a process of Ingot shows, the same in API, UI, CLI and docs/codes.md. `{name}` in a text is filled in.
 * `http` is what a request is answered with that is refused by it; for what the lifecycle refuses it is the MAAS dialect's
 * (the native API: region/api/failure.ts).
 */
export interface CatalogueEntry {
  title: string;
  /** For the page of codes, where the title does not say it all. */
  means?: string;
  message: string;
  fix: string;
  http: 400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 500 | 503;
  kind: 'refusal' | 'failure' | 'warning';
}

const CATALOGUE = {
  ...REFUSALS,
  ...FAILURES,
  ...REQUESTS,
  ...MACHINES,
  ...IMAGES,
  ...PLAN,
  ...NETWORKS,
  ...ACCOUNTS,
  ...RACKS,
} satisfies Record<string, CatalogueEntry>;
export type Code = keyof typeof CATALOGUE;
export const CODES = Object.keys(CATALOGUE) as Code[];

export type Params = Record<string, string | number>;

export function isCode(text: string): text is Code {
  return Object.hasOwn(CATALOGUE, text);
}

/** The catalogue's entry, for example to find the HTTP status of a refusal; null for a code that is not ours. */
export function entryOf(code: string): CatalogueEntry | null {
  return isCode(code) ? CATALOGUE[code] : null;
}

function fill(template: string, params: Params): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole));
}

/** A refusal (or warning) with its text filled in; `over` replaces wording that clients compare. */
export function refusal(code: Code, params: Params = {}, over: { message?: string; fix?: string } = {}): Refusal {
  const entry = CATALOGUE[code];
  return { code, message: over.message ?? fill(entry.message, params), fix: over.fix ?? fill(entry.fix, params) };
}

export function failure(code: Code, params: Params = {}, evidence: string | null = null): Failure {
  return { ...refusal(code, params), evidence };
}
