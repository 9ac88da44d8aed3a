import { FAST_TRACK } from '@ingot/core/machine/draft.ts';
import type { Attempt, MachineFacts, MachineState } from '@ingot/core/machine/model.ts';
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import type { MachinesTable, Tables } from '../store/schema.ts';
import { type Settings, settingsOf } from '../store/settings.ts';
import { bootServiceDown, diskTooSmall, type ServingRack } from './boot-facts.ts';
import { Column } from './machine-row.ts';

type Reader = Kysely<Tables> | Transaction<Tables>;

/** A rack whose link has been silent for longer counts as away. */
export const LINK_FRESH_SECONDS = 30;

/**
 * A waiting agent asks every 25 s, for the first time as soon as it hears that it stays (where its machine waits already, the
 * answer is under way to it); one that was silent for longer than this has gone.
 */
const AGENT_FRESH_SECONDS = 35;

export interface LoadedMachine {
  row: Selectable<MachinesTable>;
  state: MachineState;
  /** The transaction's now(), ms. */
  now: number;
}

/** A machine whose row is ours until the transaction ends, with what a decision needs that is not the machine's. */
export interface HeldMachine extends LoadedMachine {
  settings: Settings;
  /** For an attempt that the decision may open. */
  attemptId: number;
}

/** The machine as core sees it. Null when unknown. */
export async function loadMachine(db: Reader, systemId: string): Promise<LoadedMachine | null> {
  const row = await db.selectFrom('machines').selectAll().where('system_id', '=', systemId).executeTakeFirst();
  if (!row) return null;
  const [found] = await loadFacts(db, [row.id], false);
  // Deleted between the two statements.
  return found ? loadedOf(row, found) : null;
}

/**
 * Machines whose rows stay ours until the transaction ends, in the order of their ids. Missing are those that do not exist
 * and, without `wait`, those that somebody else holds at the moment. Their keys are not locked: whoever only refers to a
 * machine (events, marks, evidence) does not wait for a step of it, nor the other way.
 */
export async function loadLocked(
  trx: Transaction<Tables>,
  systemIds: readonly string[],
  wait: boolean,
): Promise<HeldMachine[]> {
  // In one order everywhere, so that two of these cannot wait for each other.
  const query = trx
    .selectFrom('machines')
    .selectAll()
    .where(sql<boolean>`system_id = ANY(${systemIds}::text[])`)
    .orderBy('id')
    .forNoKeyUpdate();
  const rows = await (wait ? query : query.skipLocked()).execute();
  if (rows.length === 0) return [];
  // A statement of its own: what a single one reads beside a locked row could be older than the row it waited for.
  const facts = await loadFacts(
    trx,
    rows.map((row) => row.id),
    true,
  );
  const byId = new Map(facts.map((found) => [found.id, found]));
  const settings = settingsOf(Object.entries(facts[0]?.settings ?? {}).map(([name, value]) => ({ name, value })));
  return rows.flatMap((row) => {
    const found = byId.get(row.id);
    if (found?.next_attempt_id == null) return [];
    return [{ ...loadedOf(row, found), settings, attemptId: found.next_attempt_id }];
  });
}

function loadedOf(row: Selectable<MachinesTable>, found: FactsRow): LoadedMachine {
  const attempt = attemptOf(found);
  const isIts = attempt !== null && attempt.id === row.attempt_id;
  return { row, state: stateOf(row, isIts ? attempt : null, found), now: found.now.getTime() };
}

function stateOf(row: Selectable<MachinesTable>, attempt: Attempt | null, found: FactsRow): MachineState {
  return {
    systemId: row.system_id,
    hostname: row.hostname,
    status: Column.status.parse(row.status),
    previousStatus: Column.status.parse(row.previous_status),
    statusSince: row.status_since.getTime(),
    owner: row.owner_id === null ? null : { id: row.owner_id, name: found.owner_name ?? '' },
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
    facts: factsOf(row, found),
  };
}

interface AttemptRow {
  attempt_id: number | null;
  kind: string;
  started: Date;
  ended: Date | null;
  outcome: string | null;
  failure: unknown;
  phase: string;
  phase_since: Date;
  deadline: Date | null;
  last_evidence: unknown;
  agent_seen: boolean;
}

function attemptOf(row: AttemptRow): Attempt | null {
  if (row.attempt_id === null) return null;
  return {
    id: row.attempt_id,
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

interface FactsRow extends AttemptRow {
  id: number;
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
  agent_waiting: boolean;
  next_attempt_id: number | null;
  settings: Record<string, unknown> | null;
}

/** With `held`, the settings and an id for an attempt come along. */
async function loadFacts(db: Reader, ids: readonly number[], held: boolean): Promise<FactsRow[]> {
  const beside = held
    ? sql`nextval('attempt_ids') AS next_attempt_id, (SELECT json_object_agg(name, value) FROM settings) AS settings`
    : sql`NULL::bigint AS next_attempt_id, NULL::json AS settings`;
  const { rows } = await sql<FactsRow>`
    SELECT m.id, now() AS now, a.id AS attempt_id, a.kind, a.started, a.ended, a.outcome, a.failure, a.phase,
      a.phase_since, a.deadline, a.last_evidence, a.agent_seen,
      (SELECT username FROM users WHERE id = m.owner_id) AS owner_name,
      (SELECT count(*)::int FROM interfaces WHERE machine_id = m.id) AS interfaces,
      (SELECT count(DISTINCT i.id)::int FROM interfaces i JOIN interface_links l ON l.interface_id = i.id
        WHERE i.machine_id = m.id AND i.enabled
          AND (l.mode = 'dhcp' OR (l.mode IN ('auto', 'static') AND l.subnet_id IS NOT NULL))) AS linked,
      (SELECT count(*)::int FROM block_devices WHERE machine_id = m.id AND type = 'physical') AS disks,
      (SELECT array_agg(DISTINCT status) FROM script_results
        WHERE set_id = m.set_commissioning AND NOT suppressed) AS results,
      EXISTS (SELECT 1 FROM ssh_keys WHERE user_id = m.owner_id) AS owner_has_key,
      EXISTS (SELECT 1 FROM images WHERE purpose = 'ephemeral'
        AND (m.architecture = '' OR arch = split_part(m.architecture, '/', 1))) AS ephemeral,
      EXISTS (SELECT 1 FROM rack_links
        WHERE heartbeat > now() - make_interval(secs => ${LINK_FRESH_SECONDS})) AS rack,
      (SELECT size::float8 FROM block_devices WHERE machine_id = m.id AND type = 'physical'
        ORDER BY id = m.boot_disk_id DESC NULLS LAST, id LIMIT 1) AS disk_size,
      (SELECT json_agg(json_build_object('name', r.name, 'services', r.services) ORDER BY r.name)
        FROM racks r JOIN rack_links l ON l.rack_id = r.system_id
        WHERE l.heartbeat > now() - make_interval(secs => ${LINK_FRESH_SECONDS})
          AND r.system_id = coalesce((SELECT v.primary_rack FROM interfaces i JOIN vlans v ON v.id = i.vlan_id
            WHERE i.id = m.boot_interface_id), r.system_id)) AS serving,
      EXISTS (SELECT 1 FROM agent_sessions s WHERE s.system_id = m.system_id
        AND (s.closing = 'stay' OR s.closing IS NULL AND m.waiting_code = ${FAST_TRACK})
        AND coalesce(s.asked, m.waiting_since) > now() - make_interval(secs => ${AGENT_FRESH_SECONDS})
        AND s.expires > now()) AS agent_waiting,
      ${beside}
    FROM machines m LEFT JOIN attempts a ON a.id = m.attempt_id WHERE m.id = ANY(${ids}::integer[])`.execute(db);
  return rows;
}

function factsOf(row: Selectable<MachinesTable>, found: FactsRow): MachineFacts {
  return {
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
    agentWaiting: found.agent_waiting,
  };
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
