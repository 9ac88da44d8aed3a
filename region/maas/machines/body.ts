import { STATUS_LABELS, STATUS_NUMBERS, STATUSES, type Status } from '@ingot/core/machine/status.ts';
import { API_PREFIX } from '../describe.ts';
import { float, type Json, shared } from '../wire/json.ts';
import { blockDeviceObject, bootDiskOf } from './disks.ts';
import { eventLabel } from './event-labels.ts';
import { addressesOf, defaultGateways, interfaceObject } from './interfaces.ts';
import type { MachineAggregates, MachineRow } from './load.ts';
import { aggregateStatus, scriptStatusName } from './script-status.ts';

export type JsonObject = { readonly [key: string]: Json | undefined };

/** The machine as every client sees it: exactly the fields of api-2.0-objects §1, in that order. */
export function machineObject(all: MachineAggregates, row: MachineRow): JsonObject {
  const status = statusOf(row.status);
  const owner = { systemId: row.system_id, status };
  const interfaces = all.interfaces.get(row.id) ?? [];
  const boot = interfaces.find((nic) => nic.id === row.boot_interface_id) ?? interfaces[0];
  const disks = all.disks.get(row.id) ?? [];
  const bootDisk = bootDiskOf(disks, row.boot_disk_id);
  const devices = disks.map((disk) => shared(blockDeviceObject(all, owner, disk)));
  const physical = disks.filter((disk) => disk.type === 'physical');
  const nic = (nicRow: (typeof interfaces)[number]): JsonObject => interfaceObject(all, row.system_id, nicRow);
  const state = stateFields(row);
  return {
    system_id: row.system_id,
    hostname: row.hostname,
    fqdn: `${row.hostname}.${row.domain_name}`,
    description: row.description,
    hardware_uuid: row.hardware_uuid,
    domain: domainOf(row),
    owner: state.owner,
    owner_data: row.owner_data,
    workload_annotations: row.owner_data,
    locked: state.locked,
    architecture: row.architecture,
    min_hwe_kernel: row.min_hwe_kernel,
    hwe_kernel: state.hwe_kernel,
    cpu_count: row.cpu_count,
    cpu_speed: row.cpu_speed,
    memory: row.memory,
    swap_size: row.swap_size,
    storage: float(physical.reduce((sum, disk) => sum + disk.size, 0) / 1e6),
    bios_boot_method: row.bios_boot_method,
    status: state.status,
    status_name: state.status_name,
    status_action: state.status_action,
    status_message: state.status_message,
    error_description: state.error_description,
    osystem: state.osystem,
    distro_series: state.distro_series,
    ephemeral_deploy: state.ephemeral_deploy,
    netboot: state.netboot,
    power_type: row.power_type,
    power_state: state.power_state,
    tag_names: row.tag_names,
    address_ttl: null,
    ip_addresses: addressesOf(all, interfaces),
    boot_interface: boot === undefined ? null : nic(boot),
    interface_set: interfaces.map(nic),
    boot_disk: bootDisk === undefined ? null : blockDeviceObject(all, owner, bootDisk),
    blockdevice_set: devices,
    physicalblockdevice_set: devices.filter((device) => device.type === 'physical'),
    virtualblockdevice_set: devices.filter((device) => device.type !== 'physical'),
    volume_groups: [],
    raids: [],
    bcaches: [],
    cache_sets: [],
    special_filesystems: [],
    zone: zoneOf(row),
    pool: poolOf(row),
    disable_ipv4: false,
    node_type: row.node_type,
    node_type_name: 'Machine',
    parent: null,
    pod: null,
    virtualmachine_id: null,
    default_gateways: defaultGateways(all, interfaces, boot),
    ...scriptAggregates(all, row),
    hardware_info: hardwareInfo(row.hardware_info),
    numanode_set: numaNodes(row),
    enable_hw_sync: false,
    last_sync: null,
    next_sync: null,
    sync_interval: null,
    enable_kernel_crash_dump: false,
    is_dpu: false,
    resource_uri: `${API_PREFIX}machines/${row.system_id}/`,
  };
}

export type StateRow = Pick<MachineRow, StateColumn>;
type StateColumn =
  | ('owner_name' | 'locked' | 'hwe_kernel' | 'status' | 'event_type' | 'event_description' | 'error_description')
  | ('osystem' | 'distro_series' | 'ephemeral_deploy' | 'netboot' | 'power_state');

/** The fields that a step of the machine's life changes without touching what hangs on it, in the body's order. */
export function stateFields(row: StateRow) {
  const status = statusOf(row.status);
  return {
    owner: row.owner_name,
    locked: row.locked,
    hwe_kernel: row.hwe_kernel === '' ? null : row.hwe_kernel,
    status: STATUS_NUMBERS[status],
    status_name: STATUS_LABELS[status],
    ...statusMessage(row),
    error_description: row.error_description,
    osystem: row.osystem,
    distro_series: row.distro_series,
    ephemeral_deploy: row.ephemeral_deploy,
    netboot: row.netboot,
    power_state: row.power_state,
  };
}

function statusOf(text: string): Status {
  const status = STATUSES.find((known) => known === text);
  if (status === undefined) throw new Error(`machine row has the unknown status ${text}`);
  return status;
}

function domainOf(row: MachineRow): JsonObject {
  return {
    id: row.domain_id,
    name: row.domain_name,
    ttl: row.domain_ttl,
    authoritative: row.domain_authoritative,
    resource_record_count: 0,
    is_default: row.domain_id === 0,
    resource_uri: `${API_PREFIX}domains/${row.domain_id}/`,
  };
}

function zoneOf(row: MachineRow): JsonObject {
  return {
    id: row.zone_id,
    name: row.zone_name,
    description: row.zone_description,
    resource_uri: `${API_PREFIX}zones/${encodeURIComponent(row.zone_name)}/`,
  };
}

function poolOf(row: MachineRow): JsonObject {
  return {
    id: row.pool_id,
    name: row.pool_name,
    description: row.pool_description,
    resource_uri: `${API_PREFIX}resourcepool/${row.pool_id}/`,
  };
}

function statusMessage(row: StateRow): { status_action: string; status_message: string | null } {
  if (row.event_type === null) return { status_action: '', status_message: null };
  const label = eventLabel(row.event_type);
  const description = row.event_description ?? '';
  return { status_action: '', status_message: description === '' ? label : `${label} - ${description}` };
}

/** Prefixes of the test aggregates with the hardware type they are about; `interface_` repeats `network_`. */
const TEST_AGGREGATES = [
  ['cpu_test', 1],
  ['memory_test', 2],
  ['network_test', 4],
  ['storage_test', 3],
  ['other_test', 0],
  ['interface_test', 4],
] as const;

const ABORTED = 5;

function scriptAggregates(all: MachineAggregates, row: MachineRow): JsonObject {
  const resultsOf = (set: number | null) =>
    (set === null ? [] : (all.results.get(set) ?? [])).filter((result) => result.status !== ABORTED);
  const testing = resultsOf(row.set_testing);
  const pair = (name: string, statuses: readonly number[]): JsonObject => {
    const status = aggregateStatus(statuses);
    return { [`${name}_status`]: status, [`${name}_status_name`]: scriptStatusName(status) };
  };
  const tests = TEST_AGGREGATES.map(([name, hardware]) =>
    pair(
      name,
      testing.filter((result) => result.hardware_type === hardware).map((result) => result.status),
    ),
  );
  return Object.assign(
    {
      current_commissioning_result_id: row.set_commissioning,
      current_testing_result_id: row.set_testing,
      current_installation_result_id: row.set_installation,
    },
    pair(
      'commissioning',
      resultsOf(row.set_commissioning).map((result) => result.status),
    ),
    pair(
      'testing',
      testing.map((result) => result.status),
    ),
    ...tests,
  );
}

const HARDWARE_KEYS = [
  'system_vendor',
  'system_product',
  'system_family',
  'system_version',
  'system_sku',
  'system_serial',
  'cpu_model',
  'mainboard_vendor',
  'mainboard_product',
  'mainboard_serial',
  'mainboard_version',
  'mainboard_firmware_vendor',
  'mainboard_firmware_date',
  'mainboard_firmware_version',
  'chassis_vendor',
  'chassis_type',
  'chassis_serial',
  'chassis_version',
] as const;

function hardwareInfo(stored: unknown): JsonObject {
  const known = new Map(typeof stored === 'object' && stored !== null ? Object.entries(stored) : []);
  return Object.fromEntries(
    HARDWARE_KEYS.map((key) => {
      const value: unknown = known.get(key);
      return [key, typeof value === 'string' && value !== '' ? value : 'Unknown'];
    }),
  );
}

/** A machine whose inventory told nothing has one node with all its memory. */
function numaNodes(row: MachineRow): Json[] {
  const nodes: unknown[] = Array.isArray(row.numa_nodes) ? row.numa_nodes : [];
  const shown = nodes.flatMap((node) => {
    if (typeof node !== 'object' || node === null) return [];
    const fields = new Map<string, unknown>(Object.entries(node));
    const index = fields.get('index');
    const memory = fields.get('memory');
    const cores = fields.get('cores');
    if (typeof index !== 'number' || typeof memory !== 'number' || !Array.isArray(cores)) return [];
    return [{ index, memory, cores: cores.filter((core) => typeof core === 'number'), hugepages_set: [] }];
  });
  return shown.length > 0 ? shown : [{ index: 0, memory: row.memory, cores: [], hugepages_set: [] }];
}
