import { isIPv6 } from 'node:net';

/**
 * Where a Redfish service is: a host name or address, with or without port, or a URL. HTTPS unless the URL says `http://`.
 * A path is not kept: the service root is `/redfish/v1/` by DSP0266. Null for anything else, also for a URL that carries
 * credentials.
 */
export function parseServiceAddress(address: string): URL | null {
  const given = address.trim();
  const text = isIPv6(given) ? `[${given}]` : given;
  const full = /^https?:\/\//i.test(text) ? text : `https://${text}`;
  if (text === '' || /[\s\\@]/.test(text) || !URL.canParse(full)) return null;
  const url = new URL(full);
  return url.username === '' && url.password === '' && url.hostname !== '' ? new URL('/', url) : null;
}
