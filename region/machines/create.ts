import { type Insertable, sql, type Transaction } from 'kysely';
import type { RegionDeps } from '../deps.ts';
import { markMachines } from '../store/mark.ts';
import { sqlState, UNIQUE_VIOLATION, violatedConstraint } from '../store/pg-error.ts';
import { writePowerParameters } from '../store/power-parameters.ts';
import { Problem } from '../store/problem.ts';
import type { MachinesTable, Tables } from '../store/schema.ts';
import { freeHostname, wantedHostname } from './hostname.ts';
import { randomSystemId } from './system-id.ts';

export interface NewMachine {
  /** Absent, empty or looking like an address: a name is made up. */
  hostname?: string;
  /** "amd64/generic"; empty while unknown. */
  architecture: string;
  /** The first is the boot interface. Any case, colons or hyphens. */
  macAddresses: readonly string[];
  power?: { type: string; parameters: Record<string, string> };
  description?: string;
  zoneId?: number;
  poolId?: number;
  domainId?: number;
  minHweKernel?: string;
  cpuCount?: number;
  /** MiB */
  memory?: number;
  hardwareUuid?: string | null;
  biosBootMethod?: 'pxe' | 'uefi' | null;
  dynamic?: boolean;
}

export interface CreatedMachine {
  id: number;
  systemId: string;
  hostname: string;
}

const TRIES = 5;

/** "52-54-00-AA-BB-CC" → "52:54:00:aa:bb:cc". Throws Problem for what is no MAC address. */
export function normaliseMac(text: string): string {
  const mac = text.trim().toLowerCase().replaceAll('-', ':');
  if (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) return mac;
  throw new Problem('machine.mac_invalid', { text }, { field: 'mac_addresses' });
}

/**
 * Adds a machine in NEW with its interfaces; everything after that goes through the door. Throws Problem when a MAC or
 * the wanted name is taken or malformed. Within a transaction of the caller's with `within`; then the caller announces.
 */
export async function createMachine(
  deps: Pick<RegionDeps, 'db' | 'sealer' | 'changes'>,
  wanted: NewMachine,
  within?: Transaction<Tables>,
): Promise<CreatedMachine> {
  const hostname = wantedHostname(wanted.hostname);
  const macs = [...new Set(wanted.macAddresses.map(normaliseMac))];
  if (within) return insert(within, deps, wanted, hostname, macs);
  for (let attempt = 1; ; attempt += 1) {
    try {
      const created = await deps.db.transaction().execute((trx) => insert(trx, deps, wanted, hostname, macs));
      deps.changes.announce();
      return created;
    } catch (error) {
      // Another machine took the same made-up id or name in the same moment.
      const isChance =
        sqlState(error) === UNIQUE_VIOLATION &&
        ['machines_system_id_key', 'machines_hostname_key'].includes(violatedConstraint(error) ?? '');
      if (!isChance || attempt >= TRIES) throw error;
    }
  }
}

async function insert(
  trx: Transaction<Tables>,
  deps: Pick<RegionDeps, 'sealer'>,
  wanted: NewMachine,
  hostname: string | null,
  macs: string[],
): Promise<CreatedMachine> {
  const isTaken = async (name: string) =>
    (await trx.selectFrom('machines').select('id').where('hostname', '=', name).executeTakeFirst()) !== undefined;
  if (hostname !== null && (await isTaken(hostname))) throw hostnameTaken(hostname);
  await refuseKnownMacs(trx, macs);
  const name = hostname ?? (await freeHostname(isTaken));
  const row: Insertable<MachinesTable> = {
    system_id: randomSystemId(),
    hostname: name,
    architecture: wanted.architecture,
    description: wanted.description,
    zone_id: wanted.zoneId ?? (await defaultZone(trx)),
    pool_id: wanted.poolId,
    domain_id: wanted.domainId,
    min_hwe_kernel: wanted.minHweKernel,
    cpu_count: wanted.cpuCount,
    memory: wanted.memory,
    hardware_uuid: wanted.hardwareUuid ?? null,
    bios_boot_method: wanted.biosBootMethod ?? null,
    dynamic: wanted.dynamic,
  };
  const { id, system_id: systemId } = await trx
    .insertInto('machines')
    .values(row)
    .returning(['id', 'system_id'])
    .executeTakeFirstOrThrow();
  await addInterfaces(trx, id, macs);
  if (wanted.power) await writePowerParameters({ db: trx, sealer: deps.sealer }, systemId, wanted.power);
  await markMachines(trx, [{ id, systemId }]);
  return { id, systemId, hostname: name };
}

/** eth0, eth1 …; on the VLAN in which the card was last given a lease, if any. */
async function addInterfaces(trx: Transaction<Tables>, machineId: number, macs: string[]): Promise<void> {
  let bootInterface: number | null = null;
  for (const [index, mac] of macs.entries()) {
    const vlan = await trx
      .selectFrom('leases as l')
      .innerJoin('subnets as s', 's.id', 'l.subnet_id')
      .select('s.vlan_id')
      .where('l.mac', '=', mac)
      .orderBy('l.seen', 'desc')
      .executeTakeFirst();
    const { id } = await trx
      .insertInto('interfaces')
      .values({ machine_id: machineId, name: `eth${index}`, mac, vlan_id: vlan?.vlan_id ?? null })
      .returning('id')
      .executeTakeFirstOrThrow();
    bootInterface ??= id;
  }
  if (bootInterface === null) return;
  await trx.updateTable('machines').set({ boot_interface_id: bootInterface }).where('id', '=', machineId).execute();
}

async function refuseKnownMacs(trx: Transaction<Tables>, macs: string[]): Promise<void> {
  if (macs.length === 0) return;
  const known = await trx
    .selectFrom('interfaces as i')
    .innerJoin('machines as m', 'm.id', 'i.machine_id')
    .select(['i.mac', 'm.hostname'])
    .where('i.mac', 'in', macs)
    .where('i.type', '=', 'physical')
    .executeTakeFirst();
  if (!known) return;
  throw new Problem(
    'machine.mac_in_use',
    { mac: known.mac ?? '', machine: known.hostname },
    { field: 'mac_addresses' },
  );
}

export function hostnameTaken(hostname: string): Problem {
  return new Problem('machine.hostname_taken', { name: hostname }, { field: 'hostname' });
}

async function defaultZone(trx: Transaction<Tables>): Promise<number> {
  const zone = await trx
    .selectFrom('zones')
    .select('id')
    .orderBy(sql`name = 'default'`, 'desc')
    .orderBy('id')
    .executeTakeFirstOrThrow();
  return zone.id;
}
