import type { MachineView } from '@ingot/contract/native.ts';
import { STATUS_LABELS, STATUS_NUMBERS, type Status } from '@ingot/core/machine/status.ts';
import { type Kysely, type RawBuilder, sql, type Transaction } from 'kysely';
import { inOneMoment } from '../../store/one-moment.ts';
import type { Tables } from '../../store/schema.ts';
import type { Principal } from '../principal.ts';
import { ATTEMPT_COLUMNS, ATTEMPT_COLUMNS_IN_LIST, type AttemptRow, attemptView } from './attempts.ts';
import type { Typical, TypicalTimes } from './typical.ts';

type Db = Kysely<Tables> | Transaction<Tables>;

/** A machine with whose it is, so that a stream can decide who may see it. */
export interface OwnedView {
  ownerId: number | null;
  view: MachineView;
}

/** `called`: by system_id or by hostname, which may be two. */
export type MachineChoice = { systemIds: readonly string[] } | { called: string } | ListPart;
/** As a list has them, see `ATTEMPT_COLUMNS_IN_LIST`. */
type ListPart = { first: number } | { ids: readonly number[] };

/** Machines a statement: what is made of so many holds the event loop, and whoever else asks, for some ten milliseconds. */
const PAGE = 200;

/** What every machine is shown with. */
export interface MachineRow {
  id: number;
  system_id: string;
  hostname: string;
  status: string;
  status_since: Date;
  owner_id: number | null;
  owner: string | null;
  locked: boolean;
  architecture: string;
  power_type: string;
  power_state: string;
  cpu_count: number;
  memory: number;
  bios_boot_method: string | null;
  osystem: string;
  distro_series: string;
  error_description: string;
  waiting_code: string | null;
  waiting_since: Date | null;
  waiting_deadline: Date | null;
  zone: string;
  pool: string;
  domain: string;
  tags: string[] | null;
  storage: number | null;
  disk_count: number;
  given: string[] | null;
  leased: string[] | null;
  attempt: AttemptRow | null;
}

/**
 * Everything of a MachineRow, of the machine `m`. Where it answers: the addresses given to it; while it has none (ephemeral
 * system, DHCP links) its leases. A lease of an earlier boot is not shown beside given ones, since nobody answers there
 * any more.
 */
const columns = (
  attempt: RawBuilder<unknown>,
) => sql`m.id, m.system_id, m.hostname, m.status, m.status_since, m.owner_id, u.username AS owner, m.locked,
  m.architecture, m.power_type, m.power_state, m.cpu_count, m.memory, m.bios_boot_method, m.osystem, m.distro_series,
  m.error_description, m.waiting_code, m.waiting_since, m.waiting_deadline, z.name AS zone, p.name AS pool, d.name AS domain,
  (SELECT jsonb_agg(t.name ORDER BY t.name) FROM machine_tags mt JOIN tags t ON t.id = mt.tag_id
    WHERE mt.machine_id = m.id) AS tags,
  disks.storage, disks.disk_count,
  (SELECT jsonb_agg(DISTINCT host(lower(s.span)) ORDER BY host(lower(s.span)))
    FROM interfaces i JOIN interface_links l ON l.interface_id = i.id JOIN address_spans s ON s.id = l.address_id
    WHERE i.machine_id = m.id AND s.kind <> 'discovered') AS given,
  (SELECT jsonb_agg(DISTINCT host(e.ip) ORDER BY host(e.ip)) FROM interfaces i JOIN leases e ON e.mac = i.mac
    WHERE i.machine_id = m.id AND e.expires > now()) AS leased,
  (SELECT to_jsonb(one) FROM (SELECT ${attempt} FROM attempts a WHERE a.system_id = m.system_id
    ORDER BY a.id DESC LIMIT 1) one) AS attempt`;

const TABLES = sql`machines m JOIN zones z ON z.id = m.zone_id JOIN pools p ON p.id = m.pool_id
  JOIN domains d ON d.id = m.domain_id LEFT JOIN users u ON u.id = m.owner_id
  CROSS JOIN LATERAL (SELECT sum(b.size)::float8 AS storage, count(*)::integer AS disk_count FROM block_devices b
    WHERE b.machine_id = m.id AND b.type = 'physical') disks`;

/**
 * Rows of the machines that the principal may see, by hostname, in one statement: all of it is of one moment, and a busy
 * region answers it in one turn of its event loop. `more` are columns beside, of the machine `m`.
 */
export async function machineRows<More extends object = object>(
  db: Db,
  choice: MachineChoice,
  principal: Principal | null,
  more: RawBuilder<unknown> = sql``,
): Promise<(MachineRow & More)[]> {
  const attempt = 'first' in choice || 'ids' in choice ? ATTEMPT_COLUMNS_IN_LIST : ATTEMPT_COLUMNS;
  const { rows } = await sql<MachineRow & More>`
    SELECT ${columns(attempt)}${more} FROM ${TABLES} WHERE m.node_type = 0 AND ${chosen(choice, principal)} ${sees(principal)}
    ORDER BY m.hostname, m.id`.execute(db);
  return rows;
}

/** lifecycle.md §3, as `maySee` has it. */
function sees(principal: Principal | null): RawBuilder<unknown> {
  if (principal === null || principal.admin) return sql``;
  return sql`AND (m.owner_id IS NULL OR m.owner_id = ${principal.userId})`;
}

function chosen(choice: MachineChoice, principal: Principal | null): RawBuilder<unknown> {
  if ('systemIds' in choice) return sql`m.system_id = ANY(${choice.systemIds}::text[])`;
  if ('called' in choice) return sql`(m.system_id = ${choice.called} OR m.hostname = ${choice.called.toLowerCase()})`;
  if ('ids' in choice) return sql`m.id = ANY(${choice.ids}::integer[])`;
  return sql`m.id IN (${idsInOrder(principal)} LIMIT ${choice.first})`;
}

const idsInOrder = (principal: Principal | null) =>
  sql<{ id: number }>`SELECT m.id FROM machines m WHERE m.node_type = 0 ${sees(principal)} ORDER BY m.hostname, m.id`;

/**
 * Every machine that the principal may see, by hostname, page after page to `take`, all of one moment: ten thousand at
 * once would keep everybody else waiting for most of a second.
 */
export async function eachMachine(
  db: Kysely<Tables>,
  typical: TypicalTimes,
  principal: Principal,
  now: number,
  take: (page: OwnedView[]) => void,
): Promise<void> {
  const times = await typical.read(now);
  const show = (rows: readonly MachineRow[]) =>
    take(rows.map((row) => ({ ownerId: row.owner_id, view: machineView(row, times, now) })));
  // Most sites have no second page, and need no second statement.
  const first = await machineRows(db, { first: PAGE + 1 }, principal);
  if (first.length <= PAGE) return show(first);
  await inOneMoment(db, async (moment) => {
    const { rows } = await idsInOrder(principal).execute(moment);
    const ids = rows.map(({ id }) => id);
    const read = (at: number) => machineRows(moment, { ids: ids.slice(at, at + PAGE) }, principal);
    let next = ids.length > 0 ? read(0) : null;
    for (let at = PAGE; next !== null; at += PAGE) {
      const page = await next;
      // PostgreSQL is at the next page meanwhile.
      next = at < ids.length ? read(at) : null;
      next?.catch(() => undefined);
      show(page);
    }
  });
}

/**
 * Machines as the API shows them, sorted by hostname. With a principal only those it may see; null = every one, for callers
 * that filter themselves. Status, attempt and addresses are of one moment.
 */
export async function readMachines(
  db: Db,
  typical: TypicalTimes,
  choice: MachineChoice,
  principal: Principal | null,
  now: number,
): Promise<OwnedView[]> {
  return machinesAt(db, await typical.read(now), choice, principal, now);
}

/** The same in a transaction: whoever holds one must not read the typical times by another connection. */
export async function machinesAt(
  db: Db,
  times: Typical,
  choice: MachineChoice,
  principal: Principal | null,
  now: number,
): Promise<OwnedView[]> {
  const rows = await machineRows(db, choice, principal);
  return rows.map((row) => ({ ownerId: row.owner_id, view: machineView(row, times, now) }));
}

export function machineView(row: MachineRow, times: Typical, now: number): MachineView {
  const status = statusOf(row.status);
  return {
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
    tags: row.tags ?? [],
    architecture: row.architecture,
    powerType: row.power_type,
    powerState: powerStateOf(row.power_state),
    cpuCount: row.cpu_count,
    memory: row.memory,
    storage: row.storage ?? 0,
    diskCount: row.disk_count,
    firmware: firmwareOf(row.bios_boot_method),
    osystem: row.osystem,
    distroSeries: row.distro_series,
    addresses: row.given ?? row.leased ?? [],
    errorDescription: row.error_description,
    attempt: row.attempt && attemptView(row.attempt, times, now),
    waitingFor:
      row.waiting_code !== null && row.waiting_since && row.waiting_deadline
        ? {
            code: row.waiting_code,
            since: row.waiting_since.toISOString(),
            deadline: row.waiting_deadline.toISOString(),
          }
        : null,
  };
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
