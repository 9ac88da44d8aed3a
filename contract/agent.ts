import * as z from 'zod';

/**
 * Agent ↔ region, spoken over TLS to the rack (pinned certificate) and forwarded. All bodies JSON unless said.
 *
 *   POST /agent/v1/session              SessionRequest  → SessionReply     trades a boot ticket, once
 *   GET  /agent/v1/task?wait=SECONDS                    → Task             long poll, 204 while there is nothing
 *   POST /agent/v1/progress             Progress        → 204
 *   POST /agent/v1/results/{resultId}   ScriptOutcome   → 204              at most 1 MiB each of output, stdout, stderr
 *   POST /agent/v1/reports              Reports         → 204              several of both, taken in their order
 *   POST /agent/v1/inventory            Inventory       → 204              before the commissioning task's end; the region
 *                                                                          makes the results of the scripts that only tell it
 *   POST /agent/v1/done                 Done            → DoneReply
 *   POST /agent/v1/enlist               Enlist          → EnlistReply      only with a session made from an enlist ticket
 * All but the first carry `Authorization: Bearer <session token>`.
 */

/** The signed part of a boot ticket. Serialised as base64url(JSON) + "." + base64url(Ed25519 signature of the first part). */
export const TicketBody = z.object({
  rack: z.string(),
  /** system_id, or null for an unknown machine that is to enlist. */
  machine: z.string().nullable(),
  attempt: z.number().int().nullable(),
  /** MAC the boot script was rendered for, lower case, colons. */
  mac: z.string(),
  nonce: z.string(),
  /** Milliseconds since the epoch by the rack's clock. */
  issued: z.number(),
});
export type TicketBody = z.infer<typeof TicketBody>;

export const SessionRequest = z.object({
  ticket: z.string().max(4096),
  /** 'bios' or 'uefi', seen from inside. */
  firmware: z.enum(['bios', 'uefi']),
  architecture: z.string().max(64),
  agentVersion: z.string().max(64),
});
export type SessionRequest = z.infer<typeof SessionRequest>;

export const SessionReply = z.object({
  token: z.string(),
  machine: z.string().nullable(),
  attempt: z.number().int().nullable(),
  kind: z.string(),
  /** Authorised keys for the ephemeral system's root user; empty unless SSH is enabled for this attempt. */
  sshKeys: z.array(z.string()),
});
export type SessionReply = z.infer<typeof SessionReply>;

export const ScriptItem = z.object({
  resultId: z.number().int(),
  name: z.string(),
  /** Built-ins are carried out by the agent under this name; others come as text. */
  builtin: z.boolean(),
  text: z.string().nullable(),
  timeoutSeconds: z.number(),
  parallel: z.number().int(),
  hardwareType: z.number().int(),
  parameters: z.record(z.string(), z.unknown()),
});
export type ScriptItem = z.infer<typeof ScriptItem>;

/** What to write on which disk. Sizes in bytes; made by core/storage, carried out in order by the agent. */
export const InstallPlan = z.object({
  firmware: z.enum(['bios', 'uefi']),
  hostname: z.string(),
  disk: z.object({ name: z.string(), serial: z.string().nullable(), idPath: z.string().nullable(), size: z.number() }),
  partitions: z.array(
    z.object({
      number: z.number().int(),
      /** sgdisk type code, e.g. EF02, EF00, 8304. */
      typeCode: z.string(),
      start: z.number(),
      size: z.number(),
      filesystem: z.enum(['vfat', 'ext4', 'none']),
      mountPoint: z.string().nullable(),
      uuid: z.string(),
      /** Filesystem UUID (ext4) or volume id (vfat, 8 hex digits with a dash). */
      filesystemUuid: z.string().nullable(),
      label: z.string().nullable(),
    }),
  ),
  image: z.object({
    /** Path below the rack's HTTP root, e.g. /blobs/sha256/ab/abcd…. */
    path: z.string(),
    sha256: z.string(),
    size: z.number(),
    /** raw.zst: every byte of the disk; the other formats are unpacked into the partitions. */
    format: z.enum(['tar.zst', 'tgz', 'squashfs', 'raw.zst']),
    /** raw.zst only: what is on the disk when it is written. `root` is null where the region cannot tell. */
    disk: z
      .object({
        size: z.number(),
        table: z.enum(['gpt', 'mbr', 'none']),
        root: z.object({ number: z.number().int(), filesystem: z.string() }).nullable(),
      })
      .optional(),
  }),
  /** Files to write into the target after unpacking: cloud-init's datasource, network configuration, fstab … */
  files: z.array(
    z.object({
      path: z.string(),
      mode: z.number().int(),
      content: z.string(),
      /** Written only where the unpacked system has this path, or has it not. */
      onlyWith: z.string().optional(),
      onlyWithout: z.string().optional(),
    }),
  ),
  kernelOptions: z.string(),
});
export type InstallPlan = z.infer<typeof InstallPlan>;

export const Task = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('enlist') }),
  /** Commissioning, testing and release scripts are all "run these, report each". */
  z.object({
    kind: z.literal('scripts'),
    phase: z.enum(['commissioning', 'testing', 'release']),
    scripts: z.array(ScriptItem),
    bmc: z.object({ user: z.string(), privilege: z.string(), cipherSuite: z.string(), kg: z.string() }).nullable(),
  }),
  z.object({ kind: z.literal('erase'), secure: z.boolean(), quick: z.boolean(), resultId: z.number().int() }),
  z.object({
    kind: z.literal('install'),
    plan: InstallPlan,
    resultId: z.number().int(),
    /** Start the installed kernel by kexec; where that cannot be, reset and say so. */
    kexec: z.boolean().optional(),
  }),
  z.object({ kind: z.literal('rescue') }),
  z.object({ kind: z.literal('leave'), next: z.enum(['poweroff', 'reboot', 'stay']) }),
]);
export type Task = z.infer<typeof Task>;

const ResultId = z.number().int().min(0).max(999_999_999);

export const Progress = z.object({
  /** 'step' = an install or erase step; 'script' = a script started; 'heartbeat' = still alive. */
  kind: z.enum(['step', 'script', 'heartbeat']),
  name: z.string().max(128),
  state: z.enum(['started', 'running', 'finished', 'failed']),
  resultId: ResultId.optional(),
  seconds: z.number().optional(),
  bytesDone: z.number().optional(),
  bytesTotal: z.number().optional(),
  text: z.string().max(4096).optional(),
});
export type Progress = z.infer<typeof Progress>;

export const ScriptOutcome = z.object({
  status: z.enum(['passed', 'failed', 'skipped', 'timedout', 'degraded']),
  exitStatus: z.number().int(),
  seconds: z.number(),
  /** base64, each at most 1 MiB decoded; longer output keeps its head and its tail. */
  output: z.string(),
  stdout: z.string(),
  stderr: z.string(),
  /** The script's YAML result, if any, base64. */
  result: z.string(),
});
export type ScriptOutcome = z.infer<typeof ScriptOutcome>;

/** What gathered while the agent was sending: one request for all, since each costs a slow core a tenth of a second. */
export const Reports = z.object({
  reports: z
    .array(z.union([z.object({ progress: Progress }), z.object({ resultId: ResultId, outcome: ScriptOutcome })]))
    .min(1)
    .max(50),
});
export type Report = z.infer<typeof Reports>['reports'][number];

/** Raw outputs of the tools by name; parsed by core/hardware in the region, so that one parser serves all. */
export const Inventory = z.object({
  firmware: z.enum(['bios', 'uefi']),
  lshwXml: z.string(),
  /** `lsblk --json --bytes -O` */
  lsblk: z.string(),
  /** `ip -j -d address` */
  ipAddress: z.string(),
  /** `dmidecode` keyword → value. */
  dmi: z.record(z.string(), z.string()),
  cpuinfo: z.string(),
  meminfo: z.string(),
  lspci: z.string(),
  /** Per interface: `ethtool` and /sys/class/net facts. */
  ethernet: z.array(
    z.object({
      name: z.string(),
      mac: z.string(),
      driver: z.string(),
      vendor: z.string(),
      product: z.string(),
      firmware: z.string(),
      linkDetected: z.boolean(),
      speedMbps: z.number(),
      maxSpeedMbps: z.number(),
    }),
  ),
  lldp: z.string(),
  modaliases: z.array(z.string()),
  cmdline: z.string(),
  /** `uname -r` */
  kernelRelease: z.string().max(256).optional(),
  /** What people who are asked for help want to see besides: `dmidecode`, `lsusb`, `dmesg`, /proc/tty/driver/serial. */
  support: z.object({ dmidecode: z.string(), lsusb: z.string(), dmesg: z.string(), serial: z.string() }).optional(),
  /** JSON that custom scripts left for `50-maas-01-commissioning`: what to do with the disks, and anything else. */
  extra: z.object({ storage: z.string().optional(), machine: z.string().optional() }).optional(),
  /** Kernel name of a disk → its name below /dev/disk/by-id, the most telling one. */
  diskLinks: z.record(z.string(), z.string()).optional(),
});
export type Inventory = z.infer<typeof Inventory>;

export const BmcReport = z.object({
  powerType: z.enum(['ipmi']),
  parameters: z.record(z.string(), z.string()),
});
export type BmcReport = z.infer<typeof BmcReport>;

export const Enlist = z.object({
  architecture: z.string(),
  macAddresses: z.array(z.string()).min(1).max(512),
  hardwareUuid: z.string().nullable(),
  bmc: BmcReport.nullable(),
  inventory: Inventory,
});
export type Enlist = z.infer<typeof Enlist>;

export const EnlistReply = z.object({ machine: z.string(), hostname: z.string(), next: z.enum(['poweroff', 'stay']) });
export type EnlistReply = z.infer<typeof EnlistReply>;

export const Done = z.object({
  outcome: z.enum(['ok', 'failed']),
  /** Catalogue code, e.g. install.image_mismatch. */
  code: z.string().nullable(),
  message: z.string().max(4096).nullable(),
  bmc: BmcReport.nullable(),
  /** Of an installation: its kernel is loaded, `reboot` will start it without a reset. */
  kexec: z.boolean().optional(),
});
export type Done = z.infer<typeof Done>;

/** `task`: ask for the next task; otherwise act. On `poweroff` the region also switches off by BMC. */
export const DoneReply = z.object({ next: z.enum(['task', 'poweroff', 'reboot', 'stay']) });
export type DoneReply = z.infer<typeof DoneReply>;
