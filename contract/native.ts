import { LIFECYCLE_ACTIONS } from '@ingot/core/machine/actions.ts';
import { STATUS_NUMBERS, type Status } from '@ingot/core/machine/status.ts';
import * as z from 'zod';
import { ImageContent } from './image-upload.ts';

/**
 * The native API, /api/v1, spoken by the web UI and the CLI. Session cookie, `Authorization: Bearer <api key>`, or the
 * local unix socket (which counts as the first administrator).
 * Errors are ApiError with the HTTP status of their kind: 400 bad input, 401, 403, 404, 409 refused, 429, 503.
 */
export const ApiError = z.object({
  code: z.string(),
  message: z.string(),
  field: z.string().nullable(),
  fix: z.string(),
});
export type ApiError = z.infer<typeof ApiError>;

const statusNames = Object.keys(STATUS_NUMBERS) as [Status, ...Status[]];

export const PhaseView = z.object({
  name: z.string(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  seconds: z.number(),
  /** Median of this phase in the newest passed attempts of this kind, over all machines; null before three. */
  typicalSeconds: z.number().nullable(),
  deadline: z.string().nullable(),
  /** Seconds of this phase in which Ingot itself was the one waited for. */
  ownSeconds: z.number().nullable(),
  bytesDone: z.number().nullable(),
  bytesTotal: z.number().nullable(),
});
export type PhaseView = z.infer<typeof PhaseView>;

export const EvidenceView = z.object({
  id: z.number(),
  at: z.string(),
  phase: z.string(),
  kind: z.string(),
  text: z.string(),
});
export type EvidenceView = z.infer<typeof EvidenceView>;

export const FailureView = z.object({
  code: z.string(),
  message: z.string(),
  evidence: z.string().nullable(),
  fix: z.string(),
});

export const AttemptView = z.object({
  id: z.number(),
  kind: z.string(),
  systemId: z.string(),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  outcome: z.enum(['passed', 'failed', 'aborted']).nullable(),
  failure: FailureView.nullable(),
  phases: z.array(PhaseView),
});
export type AttemptView = z.infer<typeof AttemptView>;

export const MachineView = z.object({
  systemId: z.string(),
  hostname: z.string(),
  fqdn: z.string(),
  status: z.enum(statusNames),
  statusName: z.string(),
  statusSince: z.string(),
  owner: z.string().nullable(),
  locked: z.boolean(),
  zone: z.string(),
  pool: z.string(),
  tags: z.array(z.string()),
  architecture: z.string(),
  powerType: z.string(),
  powerState: z.enum(['on', 'off', 'unknown', 'error']),
  cpuCount: z.number(),
  /** MiB */
  memory: z.number(),
  /** Bytes, sum over physical disks. */
  storage: z.number(),
  diskCount: z.number(),
  firmware: z.enum(['bios', 'uefi', 'unknown']),
  osystem: z.string(),
  distroSeries: z.string(),
  addresses: z.array(z.string()),
  errorDescription: z.string(),
  /** The running or newest attempt without evidence. In the list of all machines one that has ended comes without its phases. */
  attempt: AttemptView.nullable(),
  waitingFor: z.object({ code: z.string(), since: z.string(), deadline: z.string() }).nullable(),
});
export type MachineView = z.infer<typeof MachineView>;

export const InterfaceView = z.object({
  id: z.number(),
  name: z.string(),
  mac: z.string(),
  vendor: z.string().nullable(),
  product: z.string().nullable(),
  linkConnected: z.boolean(),
  speedMbps: z.number(),
  links: z.array(z.object({ mode: z.string(), subnet: z.string().nullable(), address: z.string().nullable() })),
});
export const DiskView = z.object({
  id: z.number(),
  name: z.string(),
  model: z.string().nullable(),
  serial: z.string().nullable(),
  size: z.number(),
  tags: z.array(z.string()),
});
export const MachineDetail = MachineView.extend({
  description: z.string(),
  hardware: z.record(z.string(), z.string()),
  interfaces: z.array(InterfaceView),
  disks: z.array(DiskView),
});
export type MachineDetail = z.infer<typeof MachineDetail>;

export const Reason = z.object({ code: z.string(), message: z.string(), fix: z.string() });
/** For one machine and action: may it be done now, and if not, every reason in causal order. */
export const Explain = z.object({
  action: z.string(),
  allowed: z.boolean(),
  reasons: z.array(Reason),
  warnings: z.array(Reason),
});
export type Explain = z.infer<typeof Explain>;

export const Action = z.enum(LIFECYCLE_ACTIONS);
export type Action = z.infer<typeof Action>;

/** Body of POST /api/v1/machines/{id}/actions/{action}; unknown keys are refused. */
export const ActionRequest = z.strictObject({
  comment: z.string().max(1024).optional(),
  /** deploy: "debian/bookworm" or "bookworm". */
  image: z.string().max(256).optional(),
  /** deploy: plain text, or base64 when userDataEncoding says so; at most 1 MiB. */
  userData: z.string().max(1_500_000).optional(),
  userDataEncoding: z.enum(['text', 'base64']).optional(),
  enableSsh: z.boolean().optional(),
  skipBmcConfig: z.boolean().optional(),
  skipNetworking: z.boolean().optional(),
  skipStorage: z.boolean().optional(),
  commissioningScripts: z.array(z.string()).optional(),
  testingScripts: z.array(z.string()).optional(),
  erase: z.boolean().optional(),
  secureErase: z.boolean().optional(),
  quickErase: z.boolean().optional(),
  soft: z.boolean().optional(),
});
export type ActionRequest = z.infer<typeof ActionRequest>;

export const ScriptResultView = z.object({
  id: z.number(),
  set: z.enum(['commissioning', 'installation', 'testing', 'release', 'deployment']),
  name: z.string(),
  status: z.string(),
  exitStatus: z.number().nullable(),
  startedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  seconds: z.number().nullable(),
  size: z.number(),
});
export type ScriptResultView = z.infer<typeof ScriptResultView>;

export const EventView = z.object({
  id: z.number(),
  at: z.string(),
  systemId: z.string().nullable(),
  hostname: z.string(),
  type: z.string(),
  level: z.string(),
  description: z.string(),
  user: z.string(),
});
export type EventView = z.infer<typeof EventView>;

export const ImageView = z.object({
  id: z.number(),
  name: z.string(),
  title: z.string(),
  architecture: z.string(),
  version: z.string(),
  purpose: z.enum(['ephemeral', 'deploy']),
  size: z.number(),
  createdAt: z.string(),
  inUse: z.number(),
  /** What is in it, of an uploaded image; null or left out: built by Ingot. */
  content: ImageContent.nullable().optional(),
});
export type ImageView = z.infer<typeof ImageView>;

export const SshKeyView = z.object({ id: z.number(), key: z.string(), comment: z.string(), fingerprint: z.string() });
export type SshKeyView = z.infer<typeof SshKeyView>;

export const WhoAmI = z.object({ username: z.string(), admin: z.boolean() });
export type WhoAmI = z.infer<typeof WhoAmI>;

/** Body of POST /api/v1/machines/allocate: every given constraint must hold. Memory in MiB. */
export const AllocateRequest = z.strictObject({
  name: z.string().max(255).optional(),
  cpuCount: z.number().int().min(1).max(65_536).optional(),
  memory: z.number().int().min(1).optional(),
  tags: z.array(z.string().max(255)).max(32).optional(),
  zone: z.string().max(255).optional(),
  pool: z.string().max(255).optional(),
  arch: z.string().max(64).optional(),
  comment: z.string().max(1024).optional(),
});
export type AllocateRequest = z.infer<typeof AllocateRequest>;

/** Body of PATCH /api/v1/machines/{id}. `tags` replaces the whole set; unknown tags are made. */
export const MachinePatch = z.strictObject({
  hostname: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a DNS label: letters, digits and hyphens, at most 63')
    .optional(),
  zone: z.string().max(255).optional(),
  pool: z.string().max(255).optional(),
  tags: z
    .array(z.string().regex(/^[a-zA-Z0-9_-]{1,255}$/, 'must consist of letters, digits, hyphens and underscores'))
    .max(64)
    .optional(),
  description: z.string().max(4096).optional(),
  powerType: z.string().max(64).optional(),
  powerParameters: z.record(z.string().max(64), z.string().max(1024)).optional(),
});
export type MachinePatch = z.infer<typeof MachinePatch>;

/** A way of switching power: what a form for `powerParameters` is built of. `queryable` false: its state is never known. */
export const PowerTypeView = z.object({
  name: z.string(),
  description: z.string(),
  sharesBmc: z.boolean(),
  queryable: z.boolean(),
  fields: z.array(
    z.object({
      name: z.string(),
      label: z.string(),
      kind: z.enum(['string', 'mac_address', 'choice', 'multiple_choice', 'password']),
      required: z.boolean(),
      secret: z.boolean(),
      choices: z.array(z.object({ value: z.string(), label: z.string() })),
      default: z.union([z.string(), z.array(z.string())]),
    }),
  ),
});
export type PowerTypeView = z.infer<typeof PowerTypeView>;

/** Power parameters with every secret left out. */
export const PowerParametersView = z.object({ powerType: z.string(), parameters: z.record(z.string(), z.string()) });
export type PowerParametersView = z.infer<typeof PowerParametersView>;

export const PowerStateView = z.object({ powerState: z.enum(['on', 'off', 'unknown', 'error']) });

export const SshKeyRequest = z.strictObject({ key: z.string().min(1).max(16_384) });

/** A file on the region's own host, moved into the blob store; only over the local socket. */
export const ImageRequest = z.strictObject({
  purpose: z.enum(['ephemeral', 'deploy']),
  os: z.string().min(1).max(64),
  release: z.string().min(1).max(64),
  arch: z.string().min(1).max(32),
  label: z.string().max(64).default('stable'),
  version: z.string().min(1).max(64),
  title: z.string().max(256).default(''),
  files: z
    .array(z.strictObject({ filetype: z.string().min(1).max(64), path: z.string().min(1).max(4096) }))
    .min(1)
    .max(16),
});
export type ImageRequest = z.infer<typeof ImageRequest>;

/** Who gives addresses in a network and says what to boot; contract/rack.ts tells what each means. */
export const DhcpModeName = z.enum(['on', 'proxy', 'relay', 'off']);
export type DhcpModeName = z.infer<typeof DhcpModeName>;

export const ServeRequest = z.strictObject({
  cidr: z.string().max(64),
  /** Of the dynamic range: with `on` and `relay`. */
  start: z.string().max(64).optional(),
  end: z.string().max(64).optional(),
  mode: DhcpModeName.default('on'),
  /** With `relay`: the network, served with `on`, to whose rack requests are relayed. */
  via: z.string().max(64).optional(),
  /** Id or name of the rack that serves it, and of the one that stands in for it; 'none' takes it away. */
  primary: z.string().max(255).optional(),
  secondary: z.string().max(255).optional(),
});
export type ServeRequest = z.infer<typeof ServeRequest>;
export const ServeReply = z.object({
  subnetId: z.number(),
  vlanId: z.number(),
  cidr: z.string(),
  mode: DhcpModeName,
  /** Null where another server gives the addresses, or nobody. */
  range: z.object({ start: z.string(), end: z.string() }).nullable(),
  /** Rack that stands in the network; null while none was seen there. */
  rack: z.string().nullable(),
  /** Rack that stands in when the first is away. */
  secondary: z.string().nullable(),
});
export type ServeReply = z.infer<typeof ServeReply>;

export const SubnetView = z.object({
  id: z.number(),
  cidr: z.string(),
  name: z.string(),
  vlan: z.number(),
  fabric: z.string(),
  /** Ingot gives addresses here. */
  dhcp: z.boolean(),
  mode: DhcpModeName,
  /** CIDR of a network to whose rack requests are relayed; null without relay. */
  relay: z.string().nullable(),
  primaryRack: z.string().nullable(),
  secondaryRack: z.string().nullable(),
  gateway: z.string().nullable(),
  ranges: z.array(z.object({ kind: z.string(), start: z.string(), end: z.string() })),
  /** DHCP servers that are none of ours, newest first. */
  foreignDhcp: z.array(z.object({ address: z.string(), mac: z.string(), seen: z.string() })),
  /** Dynamic addresses as the DHCP server counts them; null while no rack has said. */
  pool: z.object({ addresses: z.number(), given: z.number() }).nullable(),
  /** What is wrong with serving it now. */
  warnings: z.array(z.object({ code: z.string(), message: z.string(), fix: z.string() })),
});
export type SubnetView = z.infer<typeof SubnetView>;

export const RackView = z.object({
  id: z.string(),
  name: z.string(),
  connected: z.boolean(),
  version: z.string(),
  lastSeen: z.string().nullable(),
  services: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
});
export type RackView = z.infer<typeof RackView>;
/** For `ingot rack enroll URL TOKEN`; the token ends with the fingerprint of the region's CA (contract/rack.ts). */
export const RackToken = z.object({ token: z.string(), expires: z.string(), url: z.string() });
export type RackToken = z.infer<typeof RackToken>;

export const LoginRequest = z.strictObject({ username: z.string().max(255), password: z.string().max(1024) });
export const UserRequest = z.strictObject({
  username: z.string().regex(/^[\w.@+-]{1,150}$/, 'must be 1 to 150 letters, digits and @ . + - _'),
  password: z.string().min(8).max(1024),
  admin: z.boolean().default(false),
  email: z.string().max(254).default(''),
});
export const UserView = z.object({ username: z.string(), admin: z.boolean(), email: z.string() });
export const ApiKeyRequest = z.strictObject({ name: z.string().max(255).optional() });
/** `consumer:token:secret`, shown once. */
export const ApiKey = z.object({ key: z.string() });
export const SettingsView = z.record(z.string(), z.unknown());
export const Health = z.object({ ok: z.boolean(), database: z.boolean(), racks: z.number() });
export type Health = z.infer<typeof Health>;

/**
 * Server-sent events of GET /api/v1/events/stream. `id:` is the cursor "xid.id"; `Last-Event-ID` resumes after it.
 *   event: machine   data: MachineView           the machine as it is now (coalesced per 50 ms)
 *   event: gone      data: {systemId}
 *   event: attempt   data: AttemptView
 *   event: reset     data: {}                    the cursor is too old: fetch lists again
 */
export const StreamEvent = z.discriminatedUnion('event', [
  z.object({ event: z.literal('machine'), data: MachineView }),
  z.object({ event: z.literal('gone'), data: z.object({ systemId: z.string() }) }),
  z.object({ event: z.literal('attempt'), data: AttemptView }),
  z.object({ event: z.literal('reset'), data: z.object({}) }),
]);
export type StreamEvent = z.infer<typeof StreamEvent>;

/**
 *   GET  /api/v1/machines?filter=TEXT                 → MachineView[]
 *   GET  /api/v1/machines/{id or hostname}            → MachineDetail
 *   GET  /api/v1/machines/{id}/explain                → Explain[] for every action
 *   GET  /api/v1/machines/{id}/explain/{action}       → Explain
 *   GET  /api/v1/machines/{id}/attempts               → AttemptView[] newest first (20 kept)
 *   GET  /api/v1/machines/{id}/attempts/{n}/evidence?after=ID → EvidenceView[]
 *   GET  /api/v1/machines/{id}/events?before=ID       → EventView[]
 *   GET  /api/v1/machines/{id}/results                → ScriptResultView[]
 *   GET  /api/v1/machines/{id}/results/{n}/output     → text/plain
 *   GET  /api/v1/machines/{id}/power-parameters       → without secrets
 *   POST /api/v1/machines/{id}/power-query            → {powerState}: asks the BMC now
 *   POST /api/v1/machines/{id}/actions/{action}       ActionRequest → MachineView
 *   POST /api/v1/machines/allocate                    {name?, cpuCount?, memory?, tags?, zone?, pool?, arch?} → MachineView
 *   PATCH /api/v1/machines/{id}                       {hostname?, zone?, pool?, tags?, description?, powerType?, powerParameters?} → MachineView
 *   GET/POST/DELETE /api/v1/ssh-keys[/{id}]           SshKeyView
 *   GET  /api/v1/images                               → ImageView[];  DELETE /api/v1/images/{id}
 *   POST /api/v1/images                               ImageRequest → ImageView (cli `ingot images build`, local socket only)
 *   POST /api/v1/images/uploads                       UploadRequest → UploadView (contract/image-upload.ts): begins, or finds the open one
 *   GET  /api/v1/images/uploads/{id}                  → UploadView; PUT …?offset=N bytes (≤ 4 MiB) → UploadView; POST …/finish → UploadView
 *   GET/POST /api/v1/machines/{id}/deploy/plan        PlanRequest → DeployPlanView (contract/plan.ts)
 *   POST /api/v1/network/serve                        ServeRequest → ServeReply
 *   GET  /api/v1/network/subnets                      → SubnetView[]
 *   GET  /api/v1/racks                                → [{id, name, connected, version, services[]}]
 *   GET  /api/v1/power-types                          → PowerTypeView[]
 *   GET/POST /api/v1/settings                         {name: value}
 *   POST /api/v1/login {username, password} → 204 + cookie; POST /api/v1/logout; GET /api/v1/whoami → WhoAmI
 *   GET  /api/v1/users                                → UserView[] who can log in
 *   POST /api/v1/users UserRequest → WhoAmI           POST /api/v1/users/{name}/api-keys → {key}
 *   GET  /api/v1/events?before=ID                     → EventView[] newest first, of what the caller may see
 *   GET  /api/v1/events/stream                        server-sent events, see StreamEvent
 *   POST /api/v1/racks/tokens                         → {token, expires, url} (one-time, 24 h)
 *   GET  /api/v1/openapi.json · GET /healthz → {ok, database, racks} · GET /metrics
 */
export const NATIVE_BASE = '/api/v1';
