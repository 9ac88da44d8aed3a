import { type KeyObject, verify } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { refusal } from '@ingot/core/machine/catalogue.ts';
import type { Refusal } from '@ingot/core/machine/model.ts';
import type { RegionDeps } from '../deps.ts';
import { rackKey } from './rack-keys.ts';

/** How far a signature's time may lie from ours, either way. */
const WINDOW_MS = 5 * 60_000;

/** What a rack vouches for about a request that it forwarded (contract/rack.ts). */
export interface Forwarded {
  rackId: string;
  /** Address of the machine. */
  client: string;
  /** MAC that holds a lease of this rack for that address, lower case; null when there is none. */
  mac: string | null;
  /** Base URL at which the machine reaches this rack, e.g. http://10.0.0.1:5248; null when the rack did not say. */
  rackUrl: string | null;
}

export interface SignedRequest {
  method: string;
  /** Path with query, as received. */
  url: string;
  headers: IncomingHttpHeaders;
}

/** Why a request is not taken for one of our racks': it did not sign (401), or not so that we believe it (403). */
export interface NotSigned extends Refusal {
  status: 401 | 403;
}

export type Signed = { ok: true; from: Forwarded } | { ok: false; refusal: NotSigned };

const UNSIGNED: NotSigned = { status: 401, ...refusal('rack.not_signed') };
const UNKNOWN: NotSigned = { status: 403, ...refusal('rack.not_known') };
const WRONG_KEY: NotSigned = { status: 403, ...refusal('rack.bad_signature') };
const CLOCK: NotSigned = { status: 403, ...refusal('rack.clock', { minutes: WINDOW_MS / 60_000 }) };

const RACK_URL = /^http:\/\/[0-9a-zA-Z.:[\]-]{1,255}$/;
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

function header(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name];
  return typeof value === 'string' ? value : null;
}

/** The text that a rack signs. */
export function signedText(method: string, url: string, client: string, mac: string, time: string): string {
  return `${method}\n${url}\n${client}\n${mac}\n${time}`;
}

/** Checks the x-ingot-* headers against a key. */
function checkSigned(request: SignedRequest, key: KeyObject, now: number): Signed {
  const { headers } = request;
  const rackId = header(headers, 'x-ingot-rack');
  const client = header(headers, 'x-ingot-client');
  const mac = header(headers, 'x-ingot-mac');
  const time = header(headers, 'x-ingot-time');
  const signature = header(headers, 'x-ingot-signature');
  if (rackId === null || client === null || mac === null || time === null || signature === null) {
    return { ok: false, refusal: UNSIGNED };
  }
  if (!/^\d{1,16}$/.test(time)) return { ok: false, refusal: WRONG_KEY };
  const text = signedText(request.method, request.url, client, mac, time);
  if (!verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64'))) return { ok: false, refusal: WRONG_KEY };
  // After the signature: only a rack of ours is told about our clock.
  if (Math.abs(Number(time) - now) > WINDOW_MS) return { ok: false, refusal: CLOCK };
  if (mac !== '' && !MAC.test(mac)) return { ok: false, refusal: WRONG_KEY };
  const rackUrl = header(headers, 'x-ingot-rack-url');
  const from = {
    rackId,
    client,
    mac: mac === '' ? null : mac,
    rackUrl: rackUrl && RACK_URL.test(rackUrl) ? rackUrl : null,
  };
  return { ok: true, from };
}

/** The same without the reason. Null when any part is missing, too old or not signed by the key. */
export function checkForwarded(request: SignedRequest, key: KeyObject, now: number): Forwarded | null {
  const signed = checkSigned(request, key, now);
  return signed.ok ? signed.from : null;
}

/** Which enrolled rack signed a request as it came in, or why none is believed. */
export async function whoSigned(deps: Pick<RegionDeps, 'db'>, request: SignedRequest): Promise<Signed> {
  const rackId = header(request.headers, 'x-ingot-rack');
  if (rackId === null) return { ok: false, refusal: UNSIGNED };
  const key = rackId.length > 64 ? null : await rackKey(deps.db, rackId);
  return key ? checkSigned(request, key, Date.now()) : { ok: false, refusal: UNKNOWN };
}

/** The same without the reason. Null = not from one of our racks. */
export async function forwardedFrom(deps: Pick<RegionDeps, 'db'>, request: SignedRequest): Promise<Forwarded | null> {
  const signed = await whoSigned(deps, request);
  return signed.ok ? signed.from : null;
}
