import { type Expression, type Kysely, type SqlBool, sql, type Transaction } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { sqlState, UNIQUE_VIOLATION } from '../store/pg-error.ts';
import type { Tables } from '../store/schema.ts';
import { type FieldErrors, invalidForm } from './wire/errors.ts';

/**
 * Runs a change in one transaction and tells the streams after its commit. A unique violation becomes 400 with
 * `duplicate`, since upstream's 409 with Retry-After makes clients wait for nothing (conventions §8).
 */
export async function commit<Result>(
  deps: RegionDeps,
  change: (trx: Transaction<Tables>) => Promise<Result>,
  duplicate?: FieldErrors,
): Promise<Result> {
  try {
    const result = await deps.db.transaction().execute(change);
    deps.changes.announce();
    return result;
  } catch (error) {
    if (duplicate !== undefined && sqlState(error) === UNIQUE_VIOLATION) throw invalidForm(duplicate);
    throw error;
  }
}

/** Marks the bodies of all machines under a condition on alias `m` as stale and tells streams. */
export async function markWhere(trx: Kysely<Tables>, condition: Expression<SqlBool>): Promise<void> {
  await sql`INSERT INTO body_dirty (machine_id) SELECT m.id FROM machines m WHERE ${condition} ORDER BY m.id`.execute(
    trx,
  );
  await sql`INSERT INTO changes (kind, key) SELECT 'machine', m.system_id FROM machines m WHERE ${condition}`.execute(
    trx,
  );
}

/** The network plan changed: racks need a new snapshot, and machines on these VLANs show another body. */
export async function markNetwork(trx: Kysely<Tables>, key: string, vlanIds: readonly number[]): Promise<void> {
  await trx.insertInto('changes').values({ kind: 'network', key }).execute();
  if (vlanIds.length === 0) return;
  await markWhere(
    trx,
    sql`EXISTS (
      SELECT 1 FROM interfaces i LEFT JOIN interface_links l ON l.interface_id = i.id LEFT JOIN subnets s ON s.id = l.subnet_id
      WHERE i.machine_id = m.id AND (i.vlan_id = ANY(${vlanIds}::integer[]) OR s.vlan_id = ANY(${vlanIds}::integer[])))`,
  );
}
