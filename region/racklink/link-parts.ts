import type { BootEntry, Evidence, PowerOutcome, PowerWork, Snapshot, ToRegion } from '@ingot/contract/rack.ts';

export type LeaseItem = Extract<ToRegion, { type: 'leases' }>['items'][number];
export type ServiceItem = Extract<ToRegion, { type: 'health' }>['services'][number];
export type DhcpReport = Omit<Extract<ToRegion, { type: 'dhcp' }>, 'type'>;
export type Hello = Extract<ToRegion, { type: 'hello' }>;

/** What a link does with the rest of the region. The link itself knows only the protocol, so it can be tested without. */
export interface LinkParts {
  /** Takes the link over; later ones of the same rack win. Returns its epoch. */
  take(rackId: string): Promise<number>;
  /** False = superseded. */
  beat(rackId: string, epoch: number): Promise<boolean>;
  drop(rackId: string, epoch: number): Promise<void>;
  hello(hello: Hello): Promise<void>;
  registerInterfaces(rackId: string, interfaces: Hello['interfaces']): Promise<void>;
  snapshot(rackId: string): Promise<Snapshot>;
  /** Boot entries of some machines; a machine that is gone is missing in `entries`. */
  entries(systemIds: readonly string[]): Promise<{ version: number; entries: Map<string, BootEntry> }>;
  /** Work that the rack has not been sent, or (`all`) not finished; marks it as sent. None for a superseded epoch. */
  work(rackId: string, epoch: number, all: boolean): Promise<PowerWork[]>;
  completeWork(rackId: string, workId: number, outcome: PowerOutcome): Promise<void>;
  evidence(rackId: string, items: Evidence[]): Promise<void>;
  leases(rackId: string, items: LeaseItem[]): Promise<void>;
  services(rackId: string, services: ServiceItem[]): Promise<void>;
  dhcp(rackId: string, report: DhcpReport): Promise<void>;
}
