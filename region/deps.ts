import type { Command, DomainEvent, MachineState, Refusal } from '@ingot/core/machine/model.ts';
import type { Kysely, Transaction } from 'kysely';
import type pg from 'pg';
import type { Logger } from 'pino';
import type { Tables } from './store/schema.ts';

/** What every part of the region is given at start; nothing else is global. */
export interface RegionDeps {
  db: Kysely<Tables>;
  pool: pg.Pool;
  sealer: Sealer;
  blobs: BlobStore;
  door: Door;
  changes: ChangeFeed;
  log: Logger;
  /** Name of this region process, unique over all of them. */
  process: string;
  stateDir: string;
  /** Where racks of other hosts enrol with this process; missing or null: it does not listen for them. */
  rackDoor?: () => RackDoor | null;
}

/** The listener for racks of other hosts, as an enrolment token names it. */
export interface RackDoor {
  /** https://HOST:PORT */
  url: string;
  /** SHA-256 of the DER of the region's CA, lower-case hex. */
  fingerprint: string;
}

/** AES-256-GCM with the row's identity as additional data, so a sealed value cannot be moved to another row. */
export interface Sealer {
  seal(plain: Buffer | string, identity: string): Buffer;
  /** Throws when the value was altered or belongs to another row. */
  open(sealed: Buffer, identity: string): Buffer;
}

/** Who asks, for the audit trail of a command. */
export interface Caller {
  userId: number | null;
  username: string;
  endpoint: 'api' | 'ui' | 'cli' | 'system';
  address: string | null;
  userAgent: string;
}

export type Applied =
  | { ok: true; machine: MachineState; events: DomainEvent[]; note?: 'no-op' | 'stale' }
  | { ok: false; refused: Refusal[] };

/** A command to one of several machines. */
export interface Wanted {
  systemId: string;
  command: Command;
  caller?: Caller;
}

/** The one way to change a machine's state: transaction, row lock, load, core decide, save row + effects + events. */
export interface Door {
  /**
   * Throws NotFound for an unknown system_id. `alongside` runs in the same transaction after the row is locked, so that
   * what a command answers for (a finished power order) is stored with it or not at all; when it gives false, nothing
   * is applied and the answer is noted 'stale'.
   */
  apply(
    systemId: string,
    command: Command,
    caller?: Caller,
    alongside?: (trx: Transaction<Tables>) => Promise<boolean>,
  ): Promise<Applied>;
  /**
   * Commands to different machines in one transaction, each decided by itself; the outcomes in the order given. Null:
   * there is no such machine or, without `wait`, somebody else holds it at the moment. What one command's effects
   * cannot carry out rolls all of them back and throws, so it is for commands without such effects.
   */
  applyEach(wanted: readonly Wanted[], wait: boolean): Promise<(Applied | null)[]>;
  /** Load without lock, for guards and explain. Null when unknown. */
  load(systemId: string): Promise<MachineState | null>;
}

/** Content-addressed files below DIR/blobs/sha256/aa/. */
export interface BlobStore {
  path(sha256: string): string;
  has(sha256: string): Promise<boolean>;
  /** Move a finished file in; returns its sum and size. */
  adopt(file: string): Promise<{ sha256: string; size: number }>;
  remove(sha256: string): Promise<void>;
}

/** One row of `changes`, delivered in commit-safe order. */
export interface Change {
  cursor: string;
  kind: 'machine' | 'gone' | 'attempt' | 'network' | 'image' | 'settings';
  key: string;
}

export interface ChangeFeed {
  /** Called with batches, at most one per 50 ms. Returns the way to stop. */
  subscribe(listener: (changes: Change[]) => void): () => void;
  /** Changes after a cursor, or null when the cursor is too old. */
  since(cursor: string): Promise<Change[] | null>;
  cursor(): string;
  /** After a commit that wrote to `changes`: one coalesced NOTIFY. */
  announce(): void;
}
