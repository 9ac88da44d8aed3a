/**
 * Row types of the tables in migrations/*.sql. `int8` is read as a number (bigints of ours stay below 2^53), `xid8` and
 * ranges as text, `jsonb` as parsed JSON.
 */
import type { ColumnType, Generated, GeneratedAlways } from 'kysely';

/** jsonb: any JSON value out; written as text made by JSON.stringify. */
type Json = ColumnType<unknown, string, string>;
type GeneratedJson = ColumnType<unknown, string | undefined, string>;

export interface AddressSpansTable {
  id: GeneratedAlways<number>;
  subnet_id: number;
  span: string;
  kind: string;
  user_id: number | null;
  comment: Generated<string>;
  created: Generated<Date>;
  updated: Generated<Date>;
}

export interface AgentSessionsTable {
  token_hash: Buffer;
  attempt_id: number | null;
  system_id: string | null;
  mac: string;
  rack_id: string;
  address: string | null;
  nonce: string;
  firmware: string;
  used: Date | null;
  closing: string | null;
  asked: Generated<Date | null>;
  created: Generated<Date>;
  expires: Date;
}

export interface ApiTokensTable {
  id: GeneratedAlways<number>;
  user_id: number;
  name: Generated<string>;
  consumer_key: string;
  token_key: string;
  token_secret: Buffer;
  created: Generated<Date>;
}

export interface AttemptPhasesTable {
  id: GeneratedAlways<number>;
  attempt_id: number;
  name: string;
  started: Date;
  ended: Date | null;
  tool_ms: number | null;
  own_ms: number | null;
  bytes_done: number | null;
  bytes_total: number | null;
}

export interface AttemptsTable {
  id: number;
  machine_id: number | null;
  system_id: string;
  hostname: string;
  kind: string;
  started: Date;
  ended: Date | null;
  outcome: string | null;
  failure: ColumnType<unknown, string | null | undefined, string | null>;
  phase: string;
  phase_since: Date;
  deadline: Date | null;
  last_evidence: ColumnType<unknown, string | null | undefined, string | null>;
  agent_seen: Generated<boolean>;
  ticket_nonce: string | null;
  ticket_issued: number | null;
  params: GeneratedJson;
}

export interface BlockDevicesTable {
  id: GeneratedAlways<number>;
  machine_id: number;
  name: string;
  type: Generated<string>;
  model: string | null;
  serial: string | null;
  size: number;
  block_size: Generated<number>;
  id_path: string | null;
  firmware_version: string | null;
  tags: Generated<string[]>;
  uuid: string | null;
  partition_table_type: string | null;
  numa_node: number | null;
}

export interface BodyDirtyTable {
  id: GeneratedAlways<number>;
  machine_id: number;
}

export interface ChangesTable {
  id: GeneratedAlways<number>;
  xid: Generated<string>;
  at: Generated<Date>;
  kind: string;
  key: string;
}

export interface DomainsTable {
  id: Generated<number>;
  name: string;
  authoritative: Generated<boolean>;
  ttl: number | null;
}

export interface DhcpPoolsTable {
  subnet_id: number;
  rack_id: string;
  addresses: number;
  given: number;
  refused_at: Date | null;
  updated: Generated<Date>;
}

export interface EventsTable {
  id: GeneratedAlways<number>;
  xid: Generated<string>;
  created: Generated<Date>;
  machine_id: number | null;
  system_id: string | null;
  hostname: Generated<string>;
  user_id: number | null;
  username: Generated<string>;
  type: string;
  level: number;
  description: Generated<string>;
  endpoint: Generated<number>;
  ip_address: string | null;
  user_agent: Generated<string>;
}

export interface EvidenceTable {
  id: GeneratedAlways<number>;
  attempt_id: number | null;
  system_id: string | null;
  mac: Generated<string>;
  at: Generated<Date>;
  phase: Generated<string>;
  kind: string;
  text: string;
  data: GeneratedJson;
}

export interface FabricsTable {
  id: Generated<number>;
  name: string | null;
  description: Generated<string>;
  class_type: string | null;
}

export interface FilesystemsTable {
  id: GeneratedAlways<number>;
  device_id: number | null;
  partition_id: number | null;
  fstype: string;
  label: string | null;
  uuid: string;
  mount_point: string | null;
  mount_options: string | null;
  acquired: Generated<boolean>;
}

export interface ImageFilesTable {
  id: GeneratedAlways<number>;
  image_id: number;
  filetype: string;
  sha256: string;
  size: number;
  source: ColumnType<unknown, string | null | undefined, string | null>;
}

export interface ImageUploadsTable {
  id: GeneratedAlways<number>;
  image_id: number;
  os: string;
  release: string;
  arch: string;
  subarch: Generated<string>;
  title: Generated<string>;
  base_image: Generated<string>;
  keep_old: Generated<boolean>;
  format: string;
  sha256: string;
  size: number;
  received: Generated<number>;
  state: Generated<string>;
  failure: ColumnType<unknown, string | null | undefined, string | null>;
  created: Generated<Date>;
  touched: Generated<Date>;
}

export interface ImagesTable {
  id: Generated<number>;
  purpose: string;
  os: string;
  release: string;
  arch: string;
  subarch: Generated<string>;
  label: Generated<string>;
  version: string;
  title: Generated<string>;
  created: Generated<Date>;
  last_deployed: Date | null;
  content: ColumnType<unknown, string | null | undefined, string | null>;
  base_image: Generated<string>;
}

export interface InstanceTokensTable {
  machine_id: number;
  consumer_key: string;
  token_key: string;
  token_secret: Buffer;
}

export interface InterfaceLinksTable {
  id: GeneratedAlways<number>;
  interface_id: number;
  mode: string;
  subnet_id: number | null;
  address_id: number | null;
}

export interface InterfacesTable {
  id: GeneratedAlways<number>;
  machine_id: number;
  name: string;
  type: Generated<string>;
  mac: string | null;
  vlan_id: number | null;
  enabled: Generated<boolean>;
  tags: Generated<string[]>;
  params: GeneratedJson;
  vendor: string | null;
  product: string | null;
  firmware_version: string | null;
  link_connected: Generated<boolean>;
  interface_speed: Generated<number>;
  link_speed: Generated<number>;
  sriov_max_vf: Generated<number>;
  numa_node: number | null;
}

export interface LeasesTable {
  ip: string;
  mac: string;
  subnet_id: number | null;
  hostname: Generated<string>;
  rack_id: string;
  seen: Generated<Date>;
  expires: Date;
}

export interface MachineBodiesTable {
  machine_id: number;
  body: string | null;
}

export interface MachineTagsTable {
  machine_id: number;
  tag_id: number;
}

export interface MachinesTable {
  id: GeneratedAlways<number>;
  system_id: string;
  node_type: Generated<number>;
  hostname: string;
  description: Generated<string>;
  domain_id: Generated<number>;
  zone_id: number;
  pool_id: Generated<number>;
  status: Generated<string>;
  previous_status: Generated<string>;
  status_since: Generated<Date>;
  owner_id: number | null;
  locked: Generated<boolean>;
  dynamic: Generated<boolean>;
  agent_name: Generated<string>;
  error_description: Generated<string>;
  power_type: Generated<string>;
  power_parameters: GeneratedJson;
  power_secrets: Buffer | null;
  power_state: Generated<string>;
  power_state_at: Date | null;
  power_want: string | null;
  power_soft: Generated<boolean>;
  power_tries: Generated<number>;
  generation: Generated<number>;
  next_at: Date | null;
  lease_owner: string | null;
  lease_until: Date | null;
  boot_target: Generated<string>;
  waiting_code: string | null;
  waiting_since: Date | null;
  waiting_deadline: Date | null;
  attempt_id: number | null;
  enlisting: Generated<boolean>;
  netboot: Generated<boolean>;
  osystem: Generated<string>;
  distro_series: Generated<string>;
  hwe_kernel: Generated<string>;
  min_hwe_kernel: Generated<string>;
  enable_ssh: Generated<boolean>;
  skip_networking: Generated<boolean>;
  skip_storage: Generated<boolean>;
  skip_bmc_config: Generated<boolean>;
  erase: GeneratedJson;
  ephemeral_deploy: Generated<boolean>;
  user_data: Buffer | null;
  architecture: Generated<string>;
  bios_boot_method: string | null;
  cpu_count: Generated<number>;
  cpu_speed: Generated<number>;
  memory: Generated<number>;
  swap_size: number | null;
  hardware_uuid: string | null;
  hardware_info: GeneratedJson;
  numa_nodes: GeneratedJson;
  boot_interface_id: number | null;
  boot_disk_id: number | null;
  set_commissioning: number | null;
  set_testing: number | null;
  set_installation: number | null;
  set_release: number | null;
  set_deployment: number | null;
  version: Generated<number>;
  created: Generated<Date>;
  updated: Generated<Date>;
}

export interface OauthNoncesTable {
  consumer_key: string;
  token_key: string;
  nonce: string;
  seen: Generated<Date>;
}

export interface OwnerDataTable {
  machine_id: number;
  key: string;
  value: string;
}

export interface PartitionsTable {
  id: GeneratedAlways<number>;
  device_id: number;
  index: number;
  uuid: string;
  size: number;
  bootable: Generated<boolean>;
  tags: Generated<string[]>;
}

export interface PoolsTable {
  id: Generated<number>;
  name: string;
  description: Generated<string>;
}

export interface RackLinksTable {
  rack_id: string;
  process: string;
  epoch: number;
  since: Generated<Date>;
  heartbeat: Generated<Date>;
}

export interface RackTokensTable {
  token_hash: Buffer;
  expires: Date;
  used: Date | null;
}

export interface RackWorkTable {
  id: GeneratedAlways<number>;
  rack_id: string;
  machine_id: number | null;
  attempt_id: number | null;
  generation: number;
  action: string;
  soft: Generated<boolean>;
  boot_from: string | null;
  state: Generated<string>;
  created: Generated<Date>;
  sent: Date | null;
  finished: Date | null;
  outcome: ColumnType<unknown, string | null | undefined, string | null>;
}

export interface RacksTable {
  system_id: string;
  name: string;
  public_key: string;
  version: Generated<string>;
  interfaces: GeneratedJson;
  services: GeneratedJson;
  certificate: string | null;
  last_seen: Date | null;
  created: Generated<Date>;
}

export interface ScriptResultsTable {
  id: GeneratedAlways<number>;
  set_id: number;
  name: string;
  builtin: Generated<boolean>;
  hardware_type: Generated<number>;
  parallel: Generated<number>;
  timeout_seconds: Generated<number>;
  parameters: GeneratedJson;
  block_device_id: number | null;
  interface_id: number | null;
  status: Generated<number>;
  exit_status: number | null;
  started: Date | null;
  ended: Date | null;
  suppressed: Generated<boolean>;
  output: Generated<Buffer>;
  stdout: Generated<Buffer>;
  stderr: Generated<Buffer>;
  result: Generated<Buffer>;
  created: Generated<Date>;
  updated: Generated<Date>;
}

export interface ScriptSetsTable {
  id: GeneratedAlways<number>;
  machine_id: number;
  type: number;
  attempt_id: number | null;
  last_ping: Date | null;
  created: Generated<Date>;
  requested: GeneratedJson;
}

export interface SessionsTable {
  id_hash: Buffer;
  user_id: number;
  expires: Date;
}

export interface SettingsTable {
  name: string;
  value: Json;
}

export interface SpacesTable {
  id: GeneratedAlways<number>;
  name: string;
  description: Generated<string>;
}

export interface ForeignDhcpTable {
  vlan_id: number;
  address: string;
  mac: string;
  rack_id: string;
  first_seen: Generated<Date>;
  seen: Generated<Date>;
}

export interface SshKeysTable {
  id: GeneratedAlways<number>;
  user_id: number;
  key: string;
  keysource: Generated<string>;
}

export interface SubnetsTable {
  id: GeneratedAlways<number>;
  name: string;
  description: Generated<string>;
  vlan_id: number;
  cidr: string;
  rdns_mode: Generated<number>;
  gateway_ip: string | null;
  dns_servers: Generated<string[]>;
  allow_dns: Generated<boolean>;
  allow_proxy: Generated<boolean>;
  active_discovery: Generated<boolean>;
  managed: Generated<boolean>;
  disabled_boot_architectures: Generated<string[]>;
}

export interface TagsTable {
  id: GeneratedAlways<number>;
  name: string;
  definition: Generated<string>;
  comment: Generated<string>;
  kernel_opts: Generated<string>;
}

export interface UsedTicketsTable {
  nonce: string;
  used: Generated<Date>;
}

export interface UsersTable {
  id: GeneratedAlways<number>;
  username: string;
  email: Generated<string>;
  password_hash: string | null;
  is_superuser: Generated<boolean>;
  is_system: Generated<boolean>;
  is_active: Generated<boolean>;
  created: Generated<Date>;
}

export interface VlansTable {
  id: GeneratedAlways<number>;
  fabric_id: number;
  vid: number;
  name: string | null;
  description: Generated<string>;
  mtu: Generated<number>;
  dhcp_on: Generated<boolean>;
  dhcp_proxy: Generated<boolean>;
  external_dhcp: string | null;
  dhcp_probed: Date | null;
  primary_rack: string | null;
  secondary_rack: string | null;
  relay_vlan_id: number | null;
  space_id: number | null;
}

export interface ZonesTable {
  id: Generated<number>;
  name: string;
  description: Generated<string>;
}

export interface Tables {
  address_spans: AddressSpansTable;
  agent_sessions: AgentSessionsTable;
  api_tokens: ApiTokensTable;
  attempt_phases: AttemptPhasesTable;
  attempts: AttemptsTable;
  block_devices: BlockDevicesTable;
  body_dirty: BodyDirtyTable;
  changes: ChangesTable;
  dhcp_pools: DhcpPoolsTable;
  domains: DomainsTable;
  events: EventsTable;
  evidence: EvidenceTable;
  fabrics: FabricsTable;
  filesystems: FilesystemsTable;
  foreign_dhcp: ForeignDhcpTable;
  image_files: ImageFilesTable;
  image_uploads: ImageUploadsTable;
  images: ImagesTable;
  instance_tokens: InstanceTokensTable;
  interface_links: InterfaceLinksTable;
  interfaces: InterfacesTable;
  leases: LeasesTable;
  machine_bodies: MachineBodiesTable;
  machine_tags: MachineTagsTable;
  machines: MachinesTable;
  oauth_nonces: OauthNoncesTable;
  owner_data: OwnerDataTable;
  partitions: PartitionsTable;
  pools: PoolsTable;
  rack_links: RackLinksTable;
  rack_tokens: RackTokensTable;
  rack_work: RackWorkTable;
  racks: RacksTable;
  script_results: ScriptResultsTable;
  script_sets: ScriptSetsTable;
  sessions: SessionsTable;
  settings: SettingsTable;
  spaces: SpacesTable;
  ssh_keys: SshKeysTable;
  subnets: SubnetsTable;
  tags: TagsTable;
  used_tickets: UsedTicketsTable;
  users: UsersTable;
  vlans: VlansTable;
  zones: ZonesTable;
}
