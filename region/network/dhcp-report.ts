import type { ForeignDhcpServer, PoolState, ToRegion } from '@ingot/contract/rack.ts';
import { refusal } from '@ingot/core/machine/catalogue.ts';
import { parseIpv4 } from '@ingot/core/network/address.ts';
import { sql, type Transaction } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { EVENT_LEVELS } from '../lifecycle/write-events.ts';
import type { Tables } from '../store/schema.ts';
import { rackAddresses } from './free-addresses.ts';
import { markVlan } from './mark-vlan.ts';
import { modeOf } from './mode.ts';

export type DhcpReport = Omit<Extract<ToRegion, { type: 'dhcp' }>, 'type'>;

/** A range that was exhausted within this time is so still: one event, one line, not one for each machine that asks again. */
export const EXHAUSTED_MINUTES = 10;

/** Keeps what a rack says of DHCP around it: servers that are none of ours, and how full its own ranges are. */
export async function recordDhcp(
  deps: Pick<RegionDeps, 'db' | 'changes'>,
  rackId: string,
  report: DhcpReport,
): Promise<void> {
  if (report.foreign.length === 0 && report.pools.length === 0) return;
  await deps.db.transaction().execute(async (trx) => {
    for (const { vlanId, servers } of [...report.foreign].sort((a, b) => a.vlanId - b.vlanId)) {
      await recordForeign(trx, rackId, vlanId, servers);
    }
    for (const pool of [...report.pools].sort((a, b) => a.subnetId - b.subnetId)) await recordPool(trx, rackId, pool);
  });
  deps.changes.announce();
}

async function recordForeign(
  trx: Transaction<Tables>,
  rackId: string,
  vlanId: number,
  heard: readonly ForeignDhcpServer[],
): Promise<void> {
  const vlan = await trx.selectFrom('vlans').selectAll().where('id', '=', vlanId).forUpdate().executeTakeFirst();
  if (vlan === undefined) return;
  // A rack does not know all others: what stands at one of their addresses is ours.
  const ours = (await rackAddresses(trx)).map(({ address }) => address);
  const servers = heard.filter(({ address }) => {
    const number = parseIpv4(address);
    return number !== null && !ours.includes(number);
  });
  const known = await trx.selectFrom('foreign_dhcp').selectAll().where('vlan_id', '=', vlanId).execute();
  for (const { address, mac } of servers) {
    await trx
      .insertInto('foreign_dhcp')
      .values({ vlan_id: vlanId, address, mac, rack_id: rackId })
      .onConflict((c) =>
        c.columns(['vlan_id', 'address']).doUpdateSet({ mac, rack_id: rackId, seen: sql<Date>`now()` }),
      )
      .execute();
    // In proxy mode another server is wanted; in relay mode the rack does not listen there.
    const isNew = !known.some((one) => one.address === address);
    if (isNew && modeOf(vlan) === 'on') {
      const cidr = (await cidrsOf(trx, vlanId)).join(', ');
      await rackEvent(trx, rackId, 'FOREIGN_DHCP', refusal('network.foreign_dhcp', { address, mac, cidr }).message);
    }
  }
  // Another rack may stand where this one cannot hear: each takes back only what it reported itself.
  const gone = known.filter((one) => one.rack_id === rackId && !servers.some(({ address }) => address === one.address));
  for (const { address } of gone) {
    await trx.deleteFrom('foreign_dhcp').where('vlan_id', '=', vlanId).where('address', '=', address).execute();
  }
  const kept = known.find((one) => !gone.includes(one))?.address ?? null;
  const external = servers[0]?.address ?? kept;
  await trx
    .updateTable('vlans')
    .set({ external_dhcp: external, dhcp_probed: sql<Date>`now()` })
    .where('id', '=', vlanId)
    .execute();
  if (external !== vlan.external_dhcp) await markVlan(trx, vlanId, `vlan:${vlanId}`);
}

async function recordPool(trx: Transaction<Tables>, rackId: string, pool: PoolState): Promise<void> {
  const { subnetId, addresses, given, refused } = pool;
  const subnet = await trx.selectFrom('subnets').select('cidr').where('id', '=', subnetId).executeTakeFirst();
  if (subnet === undefined) return;
  const { rows } = await sql<{ recent: boolean }>`
    SELECT coalesce(refused_at > now() - make_interval(mins => ${EXHAUSTED_MINUTES}), false) AS recent
    FROM dhcp_pools WHERE subnet_id = ${subnetId} AND rack_id = ${rackId} FOR UPDATE`.execute(trx);
  const refused_at = refused > 0 ? sql<Date>`now()` : undefined;
  await trx
    .insertInto('dhcp_pools')
    .values({ subnet_id: subnetId, rack_id: rackId, addresses, given, ...(refused_at ? { refused_at } : {}) })
    .onConflict((c) =>
      c
        .columns(['subnet_id', 'rack_id'])
        .doUpdateSet({ addresses, given, updated: sql<Date>`now()`, ...(refused_at ? { refused_at } : {}) }),
    )
    .execute();
  if (refused === 0 || rows[0]?.recent === true) return;
  const { message } = refusal('network.range_exhausted', { cidr: subnet.cidr, addresses, given });
  await rackEvent(trx, rackId, 'DHCP_RANGE_EXHAUSTED', message);
}

async function cidrsOf(trx: Transaction<Tables>, vlanId: number): Promise<string[]> {
  const rows = await trx.selectFrom('subnets').select('cidr').where('vlan_id', '=', vlanId).orderBy('id').execute();
  return rows.map(({ cidr }) => cidr);
}

/** An event of the rack itself, as MAAS keeps events of its controllers. */
async function rackEvent(trx: Transaction<Tables>, rackId: string, type: string, description: string): Promise<void> {
  const rack = await trx.selectFrom('racks').select('name').where('system_id', '=', rackId).executeTakeFirst();
  await trx
    .insertInto('events')
    .values({
      machine_id: null,
      system_id: rackId,
      hostname: rack?.name ?? rackId,
      user_id: null,
      type,
      level: EVENT_LEVELS.WARNING,
      description,
      ip_address: null,
    })
    .execute();
}
