import type { Identity } from './identity.ts';

/** Who asked, as this rack saw it. `mac` is empty when the address holds no lease of ours. */
export interface ForwardedClient {
  address: string;
  mac: string;
  /** http://IP:5248 as the machine reaches this rack; empty for requests of the rack itself. */
  rackUrl: string;
}

/** For requests of the rack itself. */
export const SELF: ForwardedClient = { address: '', mac: '', rackUrl: '' };

/** Headers of contract/rack.ts for one request. `path` includes the query. */
export function signedHeaders(
  identity: Identity,
  method: string,
  path: string,
  client: ForwardedClient,
  now: number,
): Record<string, string> {
  const signed = [method, path, client.address, client.mac, String(now)].join('\n');
  return {
    'x-ingot-rack': identity.rack,
    'x-ingot-client': client.address,
    'x-ingot-mac': client.mac,
    'x-ingot-time': String(now),
    'x-ingot-signature': identity.sign(signed).toString('base64'),
    ...(client.rackUrl === '' ? {} : { 'x-ingot-rack-url': client.rackUrl }),
  };
}
