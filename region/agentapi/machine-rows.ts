import type { Status } from '@ingot/core/machine/status.ts';
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import type { MachinesTable, Tables } from '../store/schema.ts';

type Db = Kysely<Tables> | Transaction<Tables>;

export interface AgentMachine {
  id: number;
  systemId: string;
  hostname: string;
  status: Status;
  /** Open attempt; null when none is open. */
  attemptId: number | null;
  /** The open attempt has heard of its agent. */
  agentSeen: boolean;
  /** People may log in to the ephemeral system by SSH. */
  sshAllowed: boolean;
  row: Selectable<MachinesTable>;
}

const RESCUE: readonly string[] = ['ENTERING_RESCUE_MODE', 'RESCUE_MODE'];

/** What the agent's endpoints need of a machine; one statement, for every report begins with it. Null when unknown. */
export async function machineForAgent(db: Db, systemId: string): Promise<AgentMachine | null> {
  const row = await db
    .selectFrom('machines as m')
    .leftJoin('attempts as a', (join) => join.onRef('a.id', '=', 'm.attempt_id').on('a.ended', 'is', null))
    .selectAll('m')
    .select(['a.id as open_attempt', 'a.agent_seen'])
    .where('m.system_id', '=', systemId)
    .executeTakeFirst();
  if (!row) return null;
  return {
    id: row.id,
    systemId: row.system_id,
    hostname: row.hostname,
    // Only the door writes this column, from core's names.
    status: row.status as Status,
    attemptId: row.open_attempt,
    agentSeen: row.agent_seen ?? false,
    sshAllowed: row.enable_ssh || RESCUE.includes(row.status),
    row,
  };
}

/** Keys of the machine's owner, who may log in to its ephemeral system. */
export async function ownersSshKeys(db: Db, { row }: AgentMachine): Promise<string[]> {
  if (row.owner_id === null) return [];
  const keys = await db
    .selectFrom('ssh_keys')
    .select('key')
    .where('user_id', '=', row.owner_id)
    .orderBy('id')
    .execute();
  return keys.map(({ key }) => key);
}

/** The machine that a physical interface with this MAC belongs to. */
export async function machineOfMac(db: Db, mac: string): Promise<{ systemId: string; status: string } | null> {
  const row = await db
    .selectFrom('interfaces')
    .innerJoin('machines', 'machines.id', 'interfaces.machine_id')
    .select(['machines.system_id', 'machines.status'])
    .where('interfaces.mac', '=', mac)
    .where('interfaces.type', '=', 'physical')
    .executeTakeFirst();
  return row ? { systemId: row.system_id, status: row.status } : null;
}

/** The machine runs the rescue system that this attempt started. */
export async function isInRescue(db: Db, systemId: string, attemptId: number): Promise<boolean> {
  const row = await db
    .selectFrom('machines')
    .select('id')
    .where('system_id', '=', systemId)
    .where('attempt_id', '=', attemptId)
    .where('status', '=', 'RESCUE_MODE')
    .executeTakeFirst();
  return row !== undefined;
}

export interface MacHolder {
  mac: string;
  systemId: string;
  hostname: string;
  status: string;
  /** Somebody uses it, or work on it is under way. */
  busy: boolean;
}

/** Machines with any of these MACs, one row for each MAC. */
export async function macHolders(db: Db, macs: readonly string[]): Promise<MacHolder[]> {
  if (macs.length === 0) return [];
  const rows = await db
    .selectFrom('interfaces as i')
    .innerJoin('machines as m', 'm.id', 'i.machine_id')
    .leftJoin('attempts as a', (join) => join.onRef('a.id', '=', 'm.attempt_id').on('a.ended', 'is', null))
    .select(['i.mac', 'm.system_id', 'm.hostname', 'm.status', 'm.owner_id', 'a.id as open'])
    .where('i.mac', 'in', [...macs])
    .where('i.type', '=', 'physical')
    .orderBy('m.id')
    .execute();
  return rows.map((row) => ({
    mac: row.mac ?? '',
    systemId: row.system_id,
    hostname: row.hostname,
    status: row.status,
    busy: row.owner_id !== null || row.open !== null,
  }));
}

/** Machines that nobody has accepted yet, with a BMC at this address. */
export async function newMachineOfBmc(db: Db, address: string): Promise<{ systemId: string; hostname: string } | null> {
  const row = await db
    .selectFrom('machines')
    .select(['system_id', 'hostname'])
    .where('status', '=', 'NEW')
    .where(sql<string>`power_parameters->>'power_address'`, '=', address)
    .orderBy('id')
    .executeTakeFirst();
  return row ? { systemId: row.system_id, hostname: row.hostname } : null;
}

/** The narrowest subnet that holds an address. */
export async function subnetOf(db: Db, address: string): Promise<{ id: number; vlanId: number } | null> {
  const row = await db
    .selectFrom('subnets')
    .select(['id', 'vlan_id'])
    .where(sql<boolean>`cidr >>= ${address}::inet`)
    .orderBy(sql`masklen(cidr)`, 'desc')
    .executeTakeFirst();
  return row ? { id: row.id, vlanId: row.vlan_id } : null;
}

/** Machines on a VLAN that nobody has accepted yet. */
export async function countNewOnVlan(db: Db, vlanId: number): Promise<number> {
  const { n } = await db
    .selectFrom('machines')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('status', '=', 'NEW')
    .where('id', 'in', (eb) => eb.selectFrom('interfaces').select('machine_id').where('vlan_id', '=', vlanId))
    .executeTakeFirstOrThrow();
  return Number(n);
}
