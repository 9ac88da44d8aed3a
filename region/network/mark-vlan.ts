import { sql, type Transaction } from 'kysely';
import type { Tables } from '../store/schema.ts';

/** Something shown of a VLAN changed: racks get a new snapshot, and the bodies of machines on it are stale. */
export async function markVlan(trx: Transaction<Tables>, vlanId: number, key: string): Promise<void> {
  await trx.insertInto('changes').values({ kind: 'network', key }).execute();
  const onIt = sql`machines m WHERE EXISTS (
    SELECT FROM interfaces i LEFT JOIN interface_links l ON l.interface_id = i.id LEFT JOIN subnets s ON s.id = l.subnet_id
    WHERE i.machine_id = m.id AND (i.vlan_id = ${vlanId} OR s.vlan_id = ${vlanId}))`;
  await sql`INSERT INTO body_dirty (machine_id) SELECT m.id FROM ${onIt} ORDER BY m.id`.execute(trx);
  await sql`INSERT INTO changes (kind, key) SELECT 'machine', m.system_id FROM ${onIt}`.execute(trx);
}
