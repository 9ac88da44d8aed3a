import { type KeyObject, verify } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
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

interface SignedRequest {
  method: string;
  /** Path with query, as received. */
  url: string;
  headers: IncomingHttpHeaders;
}

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

/** Checks the x-ingot-* headers against a key. Null when any part is missing, too old or not signed by it. */
export function checkForwarded(request: SignedRequest, key: KeyObject, now: number): Forwarded | null {
  const { headers } = request;
  const rackId = header(headers, 'x-ingot-rack');
  const client = header(headers, 'x-ingot-client');
  const mac = header(headers, 'x-ingot-mac');
  const time = header(headers, 'x-ingot-time');
  const signature = header(headers, 'x-ingot-signature');
  if (rackId === null || client === null || mac === null || time === null || signature === null) return null;
  if (!/^\d{1,16}$/.test(time) || Math.abs(Number(time) - now) > WINDOW_MS) return null;
  const text = signedText(request.method, request.url, client, mac, time);
  if (!verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64'))) return null;
  if (mac !== '' && !MAC.test(mac)) return null;
  const rackUrl = header(headers, 'x-ingot-rack-url');
  return {
    rackId,
    client,
    mac: mac === '' ? null : mac,
    rackUrl: rackUrl && RACK_URL.test(rackUrl) ? rackUrl : null,
  };
}

/** The same for a request as it came in, with the key of the rack that it names. Null = not from one of our racks. */
export async function forwardedFrom(
  deps: Pick<RegionDeps, 'db'>,
  request: { method: string; url: string; headers: IncomingHttpHeaders },
): Promise<Forwarded | null> {
  const rackId = header(request.headers, 'x-ingot-rack');
  if (rackId === null || rackId.length > 64) return null;
  const key = await rackKey(deps.db, rackId);
  return key ? checkForwarded(request, key, Date.now()) : null;
}
