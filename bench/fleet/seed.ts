import { Readable } from 'node:stream';
import { psql } from './psql.ts';

/**
 * Machines written straight into the region's tables, past its door: for benches only, which need thousands of them in
 * seconds. Everything that the region derives (stored bodies, candidates) it derives itself afterwards.
 */
export interface FleetShape {
  machines: number;
  /** Interfaces and disks of each machine. Eight and seven make a body of about 49 KB. */
  interfaces: number;
  disks: number;
}

/** The shape for lists: bodies of about 49 KB, as a well equipped server has at MAAS. */
export const FULL_SHAPE = { interfaces: 8, disks: 7 } as const;

export const ZONES = ['default', 'zone-a', 'zone-b', 'zone-c'] as const;
export const POOLS = ['default', 'pool-a', 'pool-b', 'pool-c'] as const;
export const TAGS = ['fast', 'gpu', 'ssd', 'row-1', 'row-2', 'virtual', 'ipmi', 'x710'] as const;
/** Cores and MiB of memory by the machine's number; all combinations occur. */
export const coresOf = (n: number): number => [4, 8, 16, 32, 64][n % 5] ?? 4;
export const memoryOf = (n: number): number => [8192, 16_384, 65_536, 131_072][Math.floor(n / 5) % 4] ?? 8192;
const SUBNETS = 8;

type Cell = string | number | boolean | null;

/** COPY's text format: tabs between columns, `\N` for null. */
function line(cells: readonly Cell[]): string {
  const texts = cells.map((cell) => {
    if (cell === null) return '\\N';
    if (typeof cell === 'boolean') return cell ? 't' : 'f';
    return String(cell).replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n');
  });
  return `${texts.join('\t')}\n`;
}

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
const uuid = (kind: number, id: number): string => `${hex(kind, 8)}-0000-4000-8000-${hex(id, 12)}`;
const mac = (id: number): string => `52:54:${(hex(id, 8).match(/../g) ?? []).join(':')}`;
export const systemIdOf = (n: number): string => n.toString(36).padStart(6, '0');

const hardware = (n: number): string =>
  JSON.stringify({
    system_vendor: 'Dell Inc.',
    system_product: 'PowerEdge R650',
    system_family: 'PowerEdge',
    system_version: 'Not Specified',
    system_sku: 'SKU=NotProvided;ModelName=PowerEdge R650',
    system_serial: `SN${hex(n, 8)}`,
    cpu_model: 'Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz',
    mainboard_vendor: 'Dell Inc.',
    mainboard_product: '0PJ7YJ',
    mainboard_serial: `.MB${hex(n, 8)}.`,
    mainboard_firmware_vendor: 'Dell Inc.',
    mainboard_firmware_date: '2023-03-07',
    mainboard_firmware_version: '1.9.2',
    chassis_vendor: 'Dell Inc.',
    chassis_type: 'Rack Mount Chassis',
    chassis_serial: `CH${hex(n, 8)}`,
  });

interface Table {
  name: string;
  columns: string;
  rows: (n: number) => Cell[][];
}

function tables({ interfaces, disks }: FleetShape): Table[] {
  const nics = Array.from({ length: interfaces }, (_, i) => i);
  const drives = Array.from({ length: disks }, (_, i) => i);
  const nicId = (n: number, i: number): number => (n - 1) * interfaces + i + 1;
  const diskId = (n: number, i: number): number => (n - 1) * disks + i + 1;
  const MIB = 2 ** 20;
  return [
    {
      name: 'machines',
      columns:
        'id, system_id, hostname, description, zone_id, pool_id, status, power_type, power_parameters, power_state, architecture, bios_boot_method, cpu_count, cpu_speed, memory, hardware_uuid, hardware_info, numa_nodes, boot_interface_id, boot_disk_id',
      rows: (n) => [
        [
          ...[n, systemIdOf(n), `node-${n}`, `rack ${Math.ceil(n / 40)}, unit ${(n % 40) + 1}`],
          ...[(n % ZONES.length) + 1, n % POOLS.length, 'READY', 'manual', '{}', 'off', 'amd64/generic', 'uefi'],
          ...[coresOf(n), 2000, memoryOf(n), uuid(1, n), hardware(n)],
          JSON.stringify(
            [0, 1].map((index) => ({
              index,
              memory: memoryOf(n) / 2,
              cores: Array.from({ length: coresOf(n) / 2 }, (_, core) => core * 2 + index),
            })),
          ),
          ...[nicId(n, 0), diskId(n, 0)],
        ],
      ],
    },
    {
      name: 'machine_tags',
      columns: 'machine_id, tag_id',
      rows: (n) => TAGS.flatMap((_, i) => ((n >> i) % 2 === 0 ? [[n, i + 1]] : [])),
    },
    {
      name: 'interfaces',
      columns:
        'id, machine_id, name, mac, vlan_id, tags, vendor, product, firmware_version, interface_speed, link_speed, sriov_max_vf, numa_node',
      rows: (n) =>
        nics.map((i) => [
          ...[nicId(n, i), n, `enp${i + 1}s0`, mac(nicId(n, i)), (i % SUBNETS) + 1, '{sriov,fabric}'],
          ...['Intel Corporation', 'Ethernet Controller X710 for 10GbE SFP+', '8.30', 10_000, 10_000, 32, i % 2],
        ]),
    },
    {
      name: 'address_spans',
      columns: 'id, subnet_id, span, kind',
      // The others are linked without an address: spans are indexed to exclude each other, and building that takes time.
      rows: (n) => [[n, 1, `[10.100.${n >> 8}.${n & 255},10.100.${n >> 8}.${n & 255}]`, 'sticky']],
    },
    {
      name: 'interface_links',
      columns: 'id, interface_id, mode, subnet_id, address_id',
      rows: (n) =>
        nics.map((i) => [
          nicId(n, i),
          nicId(n, i),
          i === 0 ? 'static' : 'link_up',
          (i % SUBNETS) + 1,
          i === 0 ? n : null,
        ]),
    },
    {
      name: 'block_devices',
      columns:
        'id, machine_id, name, model, serial, size, block_size, id_path, firmware_version, tags, partition_table_type, numa_node',
      rows: (n) =>
        drives.map((i) => [
          ...[diskId(n, i), n, `nvme${i}n1`, 'SAMSUNG MZQL23T8HCLS-00A07', `S64HNE0T${hex(diskId(n, i), 6)}`],
          ...[(i === 0 ? 480 : 3840) * 1000 * MIB, 512, `/dev/disk/by-id/nvme-SAMSUNG_${hex(diskId(n, i), 8)}`],
          ...['GDC5602Q', '{ssd,nvme}', i === 0 ? 'GPT' : null, i % 2],
        ]),
    },
    {
      name: 'partitions',
      columns: 'id, device_id, index, uuid, size, bootable',
      rows: (n) => [
        [2 * n - 1, diskId(n, 0), 1, uuid(2, 2 * n - 1), 512 * MIB, true],
        [2 * n, diskId(n, 0), 2, uuid(2, 2 * n), 400_000 * MIB, false],
      ],
    },
    {
      name: 'filesystems',
      columns: 'id, partition_id, fstype, label, uuid, mount_point',
      rows: (n) => [
        [2 * n - 1, 2 * n - 1, 'fat32', 'efi', uuid(3, 2 * n - 1), '/boot/efi'],
        [2 * n, 2 * n, 'ext4', 'root', uuid(3, 2 * n), '/'],
      ],
    },
  ];
}

function* script(shape: FleetShape): Generator<string> {
  yield 'BEGIN;\n';
  for (const name of ZONES.slice(1)) yield `INSERT INTO zones (name) VALUES ('${name}');\n`;
  for (const name of POOLS.slice(1)) yield `INSERT INTO pools (name) VALUES ('${name}');\n`;
  for (const name of TAGS) yield `INSERT INTO tags (name) VALUES ('${name}');\n`;
  for (let i = 1; i < SUBNETS; i++) yield `INSERT INTO vlans (fabric_id, vid, name) VALUES (0, ${i}, 'vlan-${i}');\n`;
  for (let i = 0; i < SUBNETS; i++) {
    yield `INSERT INTO subnets (name, vlan_id, cidr, gateway_ip) VALUES ('net-${i}', ${i + 1}, '10.${100 + i}.0.0/16', '10.${100 + i}.255.1');\n`;
  }
  for (const { name, columns, rows } of tables(shape)) {
    yield `COPY ${name} (${columns}) FROM stdin;\n`;
    for (let n = 1; n <= shape.machines; n++) yield rows(n).map(line).join('');
    yield '\\.\n';
    if (name === 'machine_tags') continue;
    yield `SELECT setval(pg_get_serial_sequence('${name}', 'id'), (SELECT max(id) FROM ${name}));\n`;
  }
  // What the region would have written with the machines: its candidates and streams learn of them.
  yield "INSERT INTO changes (kind, key) SELECT 'machine', system_id FROM machines;\n";
  yield 'COMMIT;\nVACUUM ANALYZE;\n';
}

/** Fills an empty region; machines are Ready and numbered from 1. About 3 s for a thousand of the full shape. */
export async function seedFleet(socketDir: string, shape: FleetShape): Promise<void> {
  await psql(socketDir, Readable.from(script(shape)));
}
