import type { Attempt, MachineFacts, MachineState } from '@ingot/core/machine/model.ts';
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import type { MachinesTable, Tables } from '../store/schema.ts';
import { bootServiceDown, diskTooSmall, type ServingRack } from './boot-facts.ts';
import { Column } from './machine-row.ts';

type Reader = Kysely<Tables> | Transaction<Tables>;

/** A rack whose link has been silent for longer counts as away. */
export const LINK_FRESH_SECONDS = 30;

export interface LoadedMachine {
  row: Selectable<MachinesTable>;
  state: MachineState;
  /** The transaction's now(), ms. */
  now: number;
}

/** The machine as core sees it; with `lock` its row stays ours until the transaction ends. Null when unknown. */
export async function loadMachine(db: Reader, systemId: string, lock: boolean): Promise<LoadedMachine | null> {
  const query = db.selectFrom('machines').selectAll().where('system_id', '=', systemId);
  const row = await (lock ? query.forUpdate() : query).executeTakeFirst();
  if (!row) return null;
  // Separate statements: what a single one reads beside the locked row could be older than the row it waited for.
  const attempt = row.attempt_id === null ? null : await loadAttempt(db, row.attempt_id);
  const { facts, now, ownerName } = await loadFacts(db, row);
  const state: MachineState = {
    systemId: row.system_id,
    hostname: row.hostname,
    status: Column.status.parse(row.status),
    previousStatus: Column.status.parse(row.previous_status),
    statusSince: row.status_since.getTime(),
    owner: row.owner_id === null ? null : { id: row.owner_id, name: ownerName ?? '' },
    locked: row.locked,
    dynamic: row.dynamic,
    powerType: row.power_type,
    powerState: Column.powerState.parse(row.power_state),
    powerWant: Column.powerWant.parse(row.power_want),
    powerSoft: row.power_soft,
    generation: row.generation,
    powerTries: row.power_tries,
    nextAt: row.next_at?.getTime() ?? null,
    bootTarget: Column.bootTarget.parse(row.boot_target),
    waitingFor:
      row.waiting_code === null || row.waiting_since === null || row.waiting_deadline === null
        ? null
        : { code: row.waiting_code, since: row.waiting_since.getTime(), deadline: row.waiting_deadline.getTime() },
    attempt,
    enlisting: row.enlisting,
    netboot: row.netboot,
    agentName: row.agent_name,
    osystem: row.osystem,
    distroSeries: row.distro_series,
    hweKernel: row.hwe_kernel,
    errorDescription: row.error_description,
    enableSsh: row.enable_ssh,
    skipNetworking: row.skip_networking,
    skipStorage: row.skip_storage,
    skipBmcConfig: row.skip_bmc_config,
    erase: Column.erase.parse(row.erase),
    ephemeralDeploy: row.ephemeral_deploy,
    facts,
  };
  return { row, state, now };
}

async function loadAttempt(db: Reader, id: number): Promise<Attempt | null> {
  const row = await db.selectFrom('attempts').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) return null;
  return {
    id: row.id,
    kind: Column.attemptKind.parse(row.kind),
    startedAt: row.started.getTime(),
    endedAt: row.ended?.getTime() ?? null,
    outcome: Column.outcome.parse(row.outcome),
    failure: Column.failure.parse(row.failure),
    phase: Column.phase.parse(row.phase),
    phaseSince: row.phase_since.getTime(),
    deadline: row.deadline?.getTime() ?? null,
    lastEvidence: Column.lastEvidence.parse(row.last_evidence),
    agentSeen: row.agent_seen,
  };
}

interface FactsRow {
  now: Date;
  owner_name: string | null;
  interfaces: number;
  linked: number;
  disks: number;
  results: number[] | null;
  owner_has_key: boolean;
  ephemeral: boolean;
  rack: boolean;
  disk_size: number | null;
  serving: ServingRack[] | null;
}

async function loadFacts(db: Reader, row: Selectable<MachinesTable>) {
  const { rows } = await sql<FactsRow>`
    SELECT now() AS now,
      (SELECT username FROM users WHERE id = ${row.owner_id}) AS owner_name,
      (SELECT count(*)::int FROM interfaces WHERE machine_id = ${row.id}) AS interfaces,
      (SELECT count(DISTINCT i.id)::int FROM interfaces i JOIN interface_links l ON l.interface_id = i.id
        WHERE i.machine_id = ${row.id} AND i.enabled
          AND (l.mode = 'dhcp' OR (l.mode IN ('auto', 'static') AND l.subnet_id IS NOT NULL))) AS linked,
      (SELECT count(*)::int FROM block_devices WHERE machine_id = ${row.id} AND type = 'physical') AS disks,
      (SELECT array_agg(DISTINCT status) FROM script_results
        WHERE set_id = ${row.set_commissioning} AND NOT suppressed) AS results,
      EXISTS (SELECT 1 FROM ssh_keys WHERE user_id = ${row.owner_id}) AS owner_has_key,
      EXISTS (SELECT 1 FROM images WHERE purpose = 'ephemeral'
        AND (${row.architecture} = '' OR arch = split_part(${row.architecture}, '/', 1))) AS ephemeral,
      EXISTS (SELECT 1 FROM rack_links
        WHERE heartbeat > now() - make_interval(secs => ${LINK_FRESH_SECONDS})) AS rack,
      (SELECT size::float8 FROM block_devices WHERE machine_id = ${row.id} AND type = 'physical'
        ORDER BY id = ${row.boot_disk_id} DESC NULLS LAST, id LIMIT 1) AS disk_size,
      (SELECT json_agg(json_build_object('name', r.name, 'services', r.services) ORDER BY r.name)
        FROM racks r JOIN rack_links l ON l.rack_id = r.system_id
        WHERE l.heartbeat > now() - make_interval(secs => ${LINK_FRESH_SECONDS})
          AND r.system_id = coalesce((SELECT v.primary_rack FROM interfaces i JOIN vlans v ON v.id = i.vlan_id
            WHERE i.id = ${row.boot_interface_id}), r.system_id)) AS serving`.execute(db);
  const found = rows[0];
  if (!found) throw new Error('a SELECT without FROM gave no row');
  const facts: MachineFacts = {
    architecture: row.architecture,
    interfaceCount: found.interfaces,
    linkedInterfaceCount: found.linked,
    diskCount: found.disks,
    commissioning: aggregate(found.results ?? []),
    ownerHasSshKey: found.owner_has_key,
    ephemeralImage: found.ephemeral,
    rackConnected: found.rack,
    bootServiceDown: bootServiceDown(found.serving ?? []),
    diskTooSmall: diskTooSmall(found.disk_size, row.bios_boot_method),
  };
  return { facts, now: found.now.getTime(), ownerName: found.owner_name };
}

const PENDING = 0;
const RUNNING = new Set([1, 7, 10]);
const ABORTED = 5;
const FAILED = new Set([3, 4, 8, 11]);

/** Result statuses of a script set → one word, first match of the order in which MAAS clients expect it. */
export function aggregate(statuses: readonly number[]): MachineFacts['commissioning'] {
  if (statuses.length === 0) return 'none';
  if (statuses.some((status) => RUNNING.has(status))) return 'running';
  if (statuses.includes(PENDING)) return 'pending';
  if (statuses.includes(ABORTED) || statuses.some((status) => FAILED.has(status))) return 'failed';
  return 'passed';
}
