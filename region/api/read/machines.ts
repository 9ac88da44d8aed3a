import type { MachineView } from '@ingot/contract/native.ts';
import { STATUS_LABELS, STATUS_NUMBERS, type Status } from '@ingot/core/machine/status.ts';
import { type Kysely, sql, type Transaction } from 'kysely';
import { inOneMoment } from '../../store/one-moment.ts';
import type { Tables } from '../../store/schema.ts';
import type { Principal } from '../principal.ts';
import { newestAttempts } from './attempts.ts';
import type { Typical, TypicalTimes } from './typical.ts';

type Moment = Transaction<Tables>;

/** A machine with whose it is, so that a stream can decide who may see it. */
export interface OwnedView {
  ownerId: number | null;
  view: MachineView;
}

export type MachineChoice = { all: true } | { systemIds: readonly string[] };

function rowsOf(moment: Moment, choice: MachineChoice, principal: Principal | null) {
  let query = moment
    .selectFrom('machines as m')
    .innerJoin('zones as z', 'z.id', 'm.zone_id')
    .innerJoin('pools as p', 'p.id', 'm.pool_id')
    .innerJoin('domains as d', 'd.id', 'm.domain_id')
    .leftJoin('users as u', 'u.id', 'm.owner_id')
    .select([
      'm.id',
      'm.system_id',
      'm.hostname',
      'm.status',
      'm.status_since',
      'm.owner_id',
      'm.locked',
      'm.architecture',
      'm.power_type',
      'm.power_state',
      'm.cpu_count',
      'm.memory',
      'm.bios_boot_method',
      'm.osystem',
      'm.distro_series',
      'm.error_description',
      'm.waiting_code',
      'm.waiting_since',
      'm.waiting_deadline',
      'z.name as zone',
      'p.name as pool',
      'd.name as domain',
      'u.username as owner',
    ])
    .where('m.node_type', '=', 0)
    .orderBy('m.hostname');
  if ('systemIds' in choice) query = query.where(sql<boolean>`m.system_id = ANY(${choice.systemIds})`);
  if (principal && !principal.admin) {
    query = query.where((eb) => eb.or([eb('m.owner_id', 'is', null), eb('m.owner_id', '=', principal.userId)]));
  }
  return query.execute();
}

/** The same as machinesAt, at a moment of its own. */
export async function readMachines(
  db: Kysely<Tables>,
  typical: TypicalTimes,
  choice: MachineChoice,
  principal: Principal | null,
  now: number,
): Promise<OwnedView[]> {
  const times = await typical.read(now);
  return inOneMoment(db, (moment) => machinesAt(moment, times, choice, principal, now));
}

/**
 * Machines as the API shows them, sorted by hostname, in a constant number of queries. With a principal only those it
 * may see; null = every one, for callers that filter themselves. Status, attempt and addresses are of one moment.
 */
export async function machinesAt(
  moment: Moment,
  times: Typical,
  choice: MachineChoice,
  principal: Principal | null,
  now: number,
): Promise<OwnedView[]> {
  const rows = await rowsOf(moment, choice, principal);
  if (rows.length === 0) return [];
  const ids = rows.map((row) => row.id);
  const tags = await tagsOf(moment, ids);
  const disks = await disksOf(moment, ids);
  const addresses = await addressesOf(moment, ids);
  const systemIds = rows.map((row) => row.system_id);
  const attempts = await newestAttempts(moment, times, systemIds, now);
  return rows.map((row) => {
    const status = statusOf(row.status);
    const disk = disks.get(row.id);
    return {
      ownerId: row.owner_id,
      view: {
        systemId: row.system_id,
        hostname: row.hostname,
        fqdn: `${row.hostname}.${row.domain}`,
        status,
        statusName: STATUS_LABELS[status],
        statusSince: row.status_since.toISOString(),
        owner: row.owner,
        locked: row.locked,
        zone: row.zone,
        pool: row.pool,
        tags: tags.get(row.id) ?? [],
        architecture: row.architecture,
        powerType: row.power_type,
        powerState: powerStateOf(row.power_state),
        cpuCount: row.cpu_count,
        memory: row.memory,
        storage: disk?.size ?? 0,
        diskCount: disk?.count ?? 0,
        firmware: firmwareOf(row.bios_boot_method),
        osystem: row.osystem,
        distroSeries: row.distro_series,
        addresses: addresses.get(row.id) ?? [],
        errorDescription: row.error_description,
        attempt: attempts.get(row.system_id) ?? null,
        waitingFor:
          row.waiting_code !== null && row.waiting_since && row.waiting_deadline
            ? {
                code: row.waiting_code,
                since: row.waiting_since.toISOString(),
                deadline: row.waiting_deadline.toISOString(),
              }
            : null,
      },
    };
  });
}

async function tagsOf(moment: Moment, ids: readonly number[]): Promise<Map<number, string[]>> {
  const rows = await moment
    .selectFrom('machine_tags as mt')
    .innerJoin('tags as t', 't.id', 'mt.tag_id')
    .select(['mt.machine_id', 't.name'])
    .where(sql<boolean>`mt.machine_id = ANY(${ids})`)
    .orderBy('t.name')
    .execute();
  return collect(rows, (row) => row.name);
}

async function disksOf(moment: Moment, ids: readonly number[]): Promise<Map<number, { size: number; count: number }>> {
  const rows = await moment
    .selectFrom('block_devices')
    .select((eb) => ['machine_id', eb.fn.sum<number>('size').as('size'), eb.fn.countAll<number>().as('count')])
    .where(sql<boolean>`machine_id = ANY(${ids})`)
    .where('type', '=', 'physical')
    .groupBy('machine_id')
    .execute();
  return new Map(rows.map((row) => [row.machine_id, { size: Number(row.size), count: Number(row.count) }]));
}

/**
 * Where each machine answers: the addresses given to it; while it has none (ephemeral system, DHCP links) its leases.
 * A lease of an earlier boot is not shown beside given ones, since nobody answers there any more.
 */
async function addressesOf(moment: Moment, ids: readonly number[]): Promise<Map<number, string[]>> {
  const { rows } = await sql<{ machine_id: number; ip: string; given: boolean }>`
    SELECT i.machine_id, host(lower(s.span)) AS ip, true AS given
      FROM interfaces i JOIN interface_links l ON l.interface_id = i.id JOIN address_spans s ON s.id = l.address_id
      WHERE i.machine_id = ANY(${ids}) AND s.kind <> 'discovered'
    UNION
    SELECT i.machine_id, host(e.ip), false
      FROM interfaces i JOIN leases e ON e.mac = i.mac
      WHERE i.machine_id = ANY(${ids}) AND e.expires > now()
    ORDER BY ip`.execute(moment);
  const given = collect(
    rows.filter((row) => row.given),
    (row) => row.ip,
  );
  const leased = collect(
    rows.filter((row) => !row.given && !given.has(row.machine_id)),
    (row) => row.ip,
  );
  return new Map([...given, ...leased]);
}

function collect<R extends { machine_id: number }, T>(rows: readonly R[], value: (row: R) => T): Map<number, T[]> {
  const found = new Map<number, T[]>();
  for (const row of rows) {
    const list = found.get(row.machine_id);
    if (list) list.push(value(row));
    else found.set(row.machine_id, [value(row)]);
  }
  return found;
}

/** The column has no CHECK; a value that nobody knows must not hide the machine. */
function statusOf(text: string): Status {
  return text in STATUS_NUMBERS ? (text as Status) : 'BROKEN';
}

function powerStateOf(text: string): MachineView['powerState'] {
  return text === 'on' || text === 'off' || text === 'error' ? text : 'unknown';
}

function firmwareOf(bootMethod: string | null): MachineView['firmware'] {
  if (bootMethod === 'uefi') return 'uefi';
  return bootMethod === 'pxe' ? 'bios' : 'unknown';
}
