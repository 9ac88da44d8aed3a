/** What the hardware of a fleet is made of. Names as such machines report them; their numbers are ours. */
export interface ServerModel {
  vendor: string;
  product: string;
  family: string;
  bios: string;
  processors: readonly Processor[];
  sockets: readonly number[];
  memoryGib: readonly number[];
  disks: readonly DiskMix[];
  nics: readonly NicMix[];
}

export interface Processor {
  name: string;
  cores: number;
  mhz: number;
}

export type DiskKind = 'nvme' | 'ssd' | 'hdd';
/** Kinds of disks in a machine, with how many of each. */
export type DiskMix = readonly { kind: DiskKind; count: number; gib: number; model: string }[];
export type NicMix = readonly { vendor: string; product: string; driver: string; ports: number; mbps: number }[];

const GOLD: Processor = { name: 'Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz', cores: 32, mhz: 2000 };
const SILVER: Processor = { name: 'Intel(R) Xeon(R) Silver 4310 CPU @ 2.10GHz', cores: 12, mhz: 2100 };
const ENTRY: Processor = { name: 'Intel(R) Xeon(R) E-2314 CPU @ 2.80GHz', cores: 4, mhz: 2800 };
const MILAN: Processor = { name: 'AMD EPYC 7313 16-Core Processor', cores: 16, mhz: 3000 };
const GENOA: Processor = { name: 'AMD EPYC 9124 16-Core Processor', cores: 16, mhz: 3000 };

const NVME = 'SAMSUNG MZQL21T9HCJR-00A07';
const SSD = 'INTEL SSDSC2KB480G8';
const HDD = 'ST4000NM024B';
const X710 = { vendor: 'Intel Corporation', product: 'Ethernet Controller X710 for 10GbE SFP+', driver: 'i40e' };
const I350 = { vendor: 'Intel Corporation', product: 'I350 Gigabit Network Connection', driver: 'igb' };
const MLX5 = { vendor: 'Mellanox Technologies', product: 'MT2892 Family [ConnectX-6 Dx]', driver: 'mlx5_core' };
const BNXT = { vendor: 'Broadcom Inc.', product: 'BCM57414 NetXtreme-E 10Gb/25Gb', driver: 'bnxt_en' };

export const SERVER_MODELS: readonly [ServerModel, ...ServerModel[]] = [
  {
    vendor: 'Dell Inc.',
    product: 'PowerEdge R650',
    family: 'PowerEdge',
    bios: '1.12.1',
    processors: [GOLD, SILVER],
    sockets: [1, 2],
    memoryGib: [128, 256, 512],
    disks: [
      [{ kind: 'ssd', count: 2, gib: 447, model: SSD }],
      [
        { kind: 'ssd', count: 2, gib: 447, model: SSD },
        { kind: 'nvme', count: 4, gib: 1788, model: NVME },
      ],
    ],
    nics: [
      [{ ...X710, ports: 2, mbps: 10_000 }],
      [
        { ...I350, ports: 2, mbps: 1000 },
        { ...MLX5, ports: 2, mbps: 25_000 },
      ],
    ],
  },
  {
    vendor: 'HPE',
    product: 'ProLiant DL360 Gen10 Plus',
    family: 'ProLiant',
    bios: 'U46',
    processors: [GOLD, SILVER],
    sockets: [1, 2],
    memoryGib: [64, 128, 256],
    disks: [[{ kind: 'ssd', count: 2, gib: 447, model: SSD }], [{ kind: 'hdd', count: 6, gib: 3726, model: HDD }]],
    nics: [[{ ...I350, ports: 4, mbps: 1000 }], [{ ...MLX5, ports: 2, mbps: 25_000 }]],
  },
  {
    vendor: 'Supermicro',
    product: 'AS -1114S-WN10RT',
    family: 'SMC H12',
    bios: '2.5',
    processors: [MILAN],
    sockets: [1],
    memoryGib: [128, 256],
    disks: [[{ kind: 'nvme', count: 2, gib: 1788, model: NVME }], [{ kind: 'nvme', count: 8, gib: 1788, model: NVME }]],
    nics: [[{ ...BNXT, ports: 2, mbps: 25_000 }]],
  },
  {
    vendor: 'Lenovo',
    product: 'ThinkSystem SR635 V3',
    family: 'ThinkSystem',
    bios: 'KAE118K',
    processors: [GENOA],
    sockets: [1],
    memoryGib: [96, 192, 384],
    disks: [[{ kind: 'nvme', count: 2, gib: 894, model: NVME }]],
    nics: [[{ ...BNXT, ports: 2, mbps: 25_000 }], [{ ...MLX5, ports: 2, mbps: 100_000 }]],
  },
  {
    vendor: 'FUJITSU',
    product: 'PRIMERGY TX1310 M5',
    family: 'SERVER',
    bios: 'V1.0.0.0 R1.8.0',
    processors: [ENTRY],
    sockets: [1],
    memoryGib: [16, 32, 64],
    disks: [[{ kind: 'hdd', count: 1, gib: 1863, model: HDD }], [{ kind: 'ssd', count: 1, gib: 447, model: SSD }]],
    nics: [[{ ...I350, ports: 2, mbps: 1000 }]],
  },
];

/** Top of rack switches, by what LLDP says of them. */
export const SWITCH_MODELS: readonly [SwitchModel, ...SwitchModel[]] = [
  {
    description: 'Arista Networks EOS version 4.29.2F running on an Arista Networks DCS-7050SX3-48YC8',
    port: 'Ethernet',
  },
  { description: 'Juniper Networks, Inc. qfx5120-48y-8c Ethernet Switch, JUNOS 21.4R3', port: 'xe-0/0/' },
];

export interface SwitchModel {
  description: string;
  /** Before the port's number. */
  port: string;
}
