import type { Logger } from 'pino';
import type { BootFiles } from '../boot/boot-files.ts';
import type { SnapshotStore } from '../boot/snapshot-store.ts';
import type { EvidenceQueue } from '../evidence/evidence.ts';
import type { RegionClient } from '../forward/region-client.ts';
import type { Identity } from '../identity/identity.ts';
import type { ImageCache } from '../imagecache/cache.ts';

export interface Ports {
  http: number;
  https: number;
  tftp: number;
}

export const DEFAULT_PORTS: Ports = { http: 5248, https: 5249, tftp: 69 };

/** What the servers that machines meet are made of. */
export interface BootPlane {
  identity: Identity;
  snapshot: SnapshotStore;
  /**
   * The card that an address was given to; null = nobody is believed. `claimed` stands in the URL: where another server gives
   * the addresses it must be the card that is seen on the wire, else it counts for nothing.
   */
  macOf(ip: string, claimed?: string | null): Promise<string | null>;
  cache: ImageCache;
  files: BootFiles;
  region: RegionClient;
  evidence: EvidenceQueue;
  /** SHA-256 of the agent server's certificate, hex. */
  pin: string;
  ports: Ports;
  log: Logger;
}
