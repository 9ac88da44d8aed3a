import type { ToRegion } from '@ingot/contract/rack.ts';
import { parseIpv4 } from '@ingot/core/network/address.ts';
import { sql } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { markMachines } from '../store/mark.ts';
import { formatSpan, single } from './spans.ts';

export type Lease = Extract<ToRegion, { type: 'leases' }>['items'][number];

/**
 * Stores leases as a rack reported them; an expired one says zero or less. The newest address of a card that belongs to
 * a machine is its discovered address in that subnet, and replaces what was discovered of it before.
 */
export async function recordLeases(
  deps: Pick<RegionDeps, 'db' | 'changes'>,
  rackId: string,
  leases: readonly Lease[],
): Promise<void> {
  const known = new Set((await deps.db.selectFrom('subnets').select('id').execute()).map(({ id }) => id));
  const valid = leases.filter((lease) => parseIpv4(lease.ip) !== null && known.has(lease.subnetId));
  if (valid.length === 0) return;
  await deps.db.transaction().execute(async (trx) => {
    const touched = new Map<number, string>();
    // By address, so that two racks' reports cannot lock each other out.
    for (const lease of [...valid].sort((a, b) => a.ip.localeCompare(b.ip))) {
      const { ip, hostname, subnetId: subnet_id } = lease;
      const mac = lease.mac.toLowerCase();
      const expires = new Date(Date.now() + lease.expiresInSeconds * 1000);
      const seen = sql<Date>`now()`;
      await trx
        .insertInto('leases')
        .values({ ip, mac, subnet_id, hostname, rack_id: rackId, expires })
        .onConflict((c) =>
          c.columns(['ip', 'mac']).doUpdateSet({ subnet_id, hostname, rack_id: rackId, expires, seen }),
        )
        .execute();
      const card = await trx
        .selectFrom('interfaces as i')
        .innerJoin('machines as m', 'm.id', 'i.machine_id')
        .innerJoin('subnets as s', (join) => join.on('s.id', '=', subnet_id))
        .select(['i.id', 'i.vlan_id', 's.vlan_id as seen_vlan', 'm.id as machine_id', 'm.system_id'])
        .where('i.mac', '=', mac)
        .where('i.type', '=', 'physical')
        .executeTakeFirst();
      if (!card) continue;
      await sql`DELETE FROM address_spans WHERE kind = 'discovered' AND subnet_id = ${subnet_id}
        AND lower(span) IN (SELECT ip FROM leases WHERE mac = ${mac})`.execute(trx);
      const address = parseIpv4(ip);
      if (lease.expiresInSeconds > 0 && address !== null) {
        const span = formatSpan(single(address));
        await trx.insertInto('address_spans').values({ subnet_id, span, kind: 'discovered' }).execute();
      }
      if (card.vlan_id === null) {
        await trx.updateTable('interfaces').set({ vlan_id: card.seen_vlan }).where('id', '=', card.id).execute();
      }
      touched.set(card.machine_id, card.system_id);
    }
    await markMachines(
      trx,
      [...touched].map(([id, systemId]) => ({ id, systemId })),
    );
  });
  deps.changes.announce();
}
