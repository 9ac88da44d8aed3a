import type { BootImage, Snapshot } from '@ingot/contract/rack.ts';
import { formatIpv4 } from '@ingot/core/network/address.ts';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import type { Tables } from '../store/schema.ts';
import { readSettings } from '../store/settings.ts';
import { bootEntries } from './boot-entries.ts';
import { dhcpPeers } from './dhcp-peers.ts';
import { modeOf } from './mode.ts';
import { parseSpan } from './spans.ts';

type Reader = Kysely<Tables> | Transaction<Tables>;

/** A number above every one given before; snapshots and deltas share it. */
export async function nextSnapshotVersion(db: Reader): Promise<number> {
  const { rows } = await sql<{ version: number }>`SELECT nextval('snapshot_versions') AS version`.execute(db);
  const version = rows[0]?.version;
  if (version === undefined) throw new Error('nextval gave no row');
  return version;
}

/** All that a rack needs to serve boots on its own: networks, boot entries, images. The same for every rack of a site. */
export async function rackSnapshot(deps: Pick<RegionDeps, 'db'>): Promise<Snapshot> {
  // One snapshot of the database, so that a machine's address and its boot target belong together.
  return deps.db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (trx) => {
      // Taken first: a delta made from a later state has a higher number.
      const version = await nextSnapshotVersion(trx);
      const settings = await readSettings(trx);
      return {
        version,
        vlans: await vlans(trx),
        machines: await bootEntries(trx),
        ephemeral: await ephemeralImages(trx),
        enlist: true,
        kernelOptions: settings.kernel_opts ?? '',
        uefiBootChain: settings.uefi_boot_chain,
      };
    });
}

async function vlans(trx: Transaction<Tables>): Promise<Snapshot['vlans']> {
  const rows = await trx.selectFrom('vlans').selectAll().orderBy('id').execute();
  const subnets = await trx.selectFrom('subnets').selectAll().orderBy('id').execute();
  const ranges = await trx
    .selectFrom('address_spans')
    .select(['subnet_id', 'span'])
    .where('kind', '=', 'dynamic-range')
    .orderBy('id')
    .execute();
  const reservations = await reservedAddresses(trx);
  const peers = await dhcpPeers(trx, rows, subnets);
  return rows
    .map((vlan) => ({
      id: vlan.id,
      vid: vlan.vid,
      name: vlan.name ?? '',
      dhcp: modeOf(vlan),
      ...(vlan.relay_vlan_id === null ? {} : { relayVlan: vlan.relay_vlan_id }),
      ...servedBy(vlan),
      ...(peers.has(vlan.id) ? { peers: peers.get(vlan.id) } : {}),
      mtu: vlan.mtu,
      subnets: subnets
        .filter((subnet) => subnet.vlan_id === vlan.id && subnet.managed)
        .map((subnet) => ({
          id: subnet.id,
          cidr: subnet.cidr,
          gateway: subnet.gateway_ip,
          dnsServers: subnet.dns_servers,
          pools: ranges.flatMap((range) => {
            const span = range.subnet_id === subnet.id ? parseSpan(range.span) : null;
            return span ? [{ start: formatIpv4(span.start), end: formatIpv4(span.end) }] : [];
          }),
          reservations: reservations.get(subnet.id) ?? [],
        })),
    }))
    .filter((vlan) => vlan.subnets.length > 0);
}

function servedBy(vlan: { primary_rack: string | null; secondary_rack: string | null }): { racks?: string[] } {
  const racks = [vlan.primary_rack, vlan.secondary_rack].filter((rack) => rack !== null);
  return racks.length === 0 ? {} : { racks };
}

interface Reservation {
  mac: string;
  ip: string;
  hostname: string;
}

/** Addresses that machines were given: whoever asks by DHCP with that card gets this one, so both ways lead to it. */
async function reservedAddresses(trx: Transaction<Tables>): Promise<Map<number, Reservation[]>> {
  const { rows } = await sql<Reservation & { subnet_id: number }>`
    SELECT DISTINCT ON (s.subnet_id, i.mac) s.subnet_id, i.mac, host(lower(s.span)) AS ip, m.hostname
    FROM interface_links l
    JOIN address_spans s ON s.id = l.address_id
    JOIN interfaces i ON i.id = l.interface_id
    JOIN machines m ON m.id = i.machine_id
    WHERE i.mac IS NOT NULL AND s.kind IN ('auto', 'sticky')
    ORDER BY s.subnet_id, i.mac, l.id`.execute(trx);
  const bySubnet = new Map<number, Reservation[]>();
  for (const { subnet_id, mac, ip, hostname } of rows) {
    const list = bySubnet.get(subnet_id) ?? [];
    list.push({ mac, ip, hostname });
    bySubnet.set(subnet_id, list);
  }
  return bySubnet;
}

/** Per architecture the newest image that is complete. */
async function ephemeralImages(trx: Transaction<Tables>): Promise<BootImage[]> {
  const files = await trx
    .selectFrom('images as i')
    .innerJoin('image_files as f', 'f.image_id', 'i.id')
    .select(['i.id', 'i.arch', 'f.filetype', 'f.sha256', 'f.size'])
    .where('i.purpose', '=', 'ephemeral')
    .orderBy('i.created', 'desc')
    .orderBy('i.id', 'desc')
    .execute();
  const images = new Map<string, BootImage>();
  for (const id of new Set(files.map((file) => file.id))) {
    const own = files.filter((file) => file.id === id);
    const file = (type: string) => own.find((one) => one.filetype === type);
    const [kernel, initrd, squashfs] = [file('boot-kernel'), file('boot-initrd'), file('squashfs')];
    if (!kernel || !initrd || !squashfs || images.has(kernel.arch)) continue;
    const sum = ({ sha256, size }: { sha256: string; size: number }) => ({ sha256, size });
    images.set(kernel.arch, {
      architecture: kernel.arch,
      kernel: sum(kernel),
      initrd: sum(initrd),
      squashfs: sum(squashfs),
    });
  }
  return [...images.values()];
}
