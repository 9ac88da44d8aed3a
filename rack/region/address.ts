import { RACK_TLS_PORT } from '@ingot/contract/rack.ts';

/** A region on another host. */
export interface RegionHost {
  /** Name or address; an IPv6 address without brackets. */
  host: string;
  port: number;
}

/** How the region is reached: its unix socket on this host, or TLS with a certificate of the CA of our enrolment. */
export type RegionAddress = { kind: 'unix'; path: string } | ({ kind: 'tls' /** PEM */; ca: string } & RegionHost);

const HTTPS = /^https:\/\/(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+))(?::(\d{1,5}))?\/?$/;

/** https://HOST[:PORT], port 5250 unless told; null when it is anything else. */
export function parseRegionUrl(text: string): RegionHost | null {
  const match = HTTPS.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? RACK_TLS_PORT);
  return host === undefined || port < 1 || port > 65_535 ? null : { host: host.toLowerCase(), port };
}

export function regionUrl({ host, port }: RegionHost): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
