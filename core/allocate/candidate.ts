/**
 * One machine as allocation sees it: a compact row that a process can hold for every machine. Only its current
 * configuration counts. Sizes of disks and partitions in bytes, memory in MiB, speeds in Mbit/s and MHz.
 */
export interface CandidateRow {
  id: number;
  systemId: string;
  hostname: string;
  fqdn: string;
  /** `arch/subarch` */
  architecture: string;
  cpuCount: number;
  cpuSpeed: number;
  memory: number;
  tags: readonly string[];
  zone: { id: number; name: string };
  pool: { id: number; name: string };
  owner: string | null;
  powerState: string;
  /** It is set to run from memory. */
  ephemeralDeploy: boolean;
  disks: readonly CandidateDisk[];
  interfaces: readonly CandidateInterface[];
}

export interface CandidateDisk {
  id: number;
  size: number;
  tags: readonly string[];
  /** The root file system is, or by the layout will be, on this disk or on a partition of it. At most one. */
  root: boolean;
  /** It has a file system or a partition table, so it cannot serve as a further disk. */
  used: boolean;
  partitions: readonly CandidatePartition[];
}

export interface CandidatePartition {
  id: number;
  size: number;
  tags: readonly string[];
  root: boolean;
  used: boolean;
}

export interface CandidateInterface {
  id: number;
  name: string;
  /** physical, bond, bridge, vlan … */
  type: string;
  vlanId: number | null;
  linkSpeed: number;
  tags: readonly string[];
  links: readonly { subnetId: number | null; ip: string | null }[];
}

/** The site's networks, to which specifiers are resolved. */
export interface NetworkPlan {
  subnets: readonly { id: number; name: string; cidr: string; vlanId: number }[];
  vlans: readonly { id: number; vid: number; name: string | null; fabricId: number; spaceId: number | null }[];
  /** Name null: never named. Such a fabric is found by id only. */
  fabrics: readonly { id: number; name: string | null; classType: string | null }[];
  spaces: readonly { id: number; name: string }[];
}

/** What exists at the site, so that a misspelt name is an error and not an empty answer. */
export interface Site {
  tags: readonly string[];
  zones: readonly string[];
  pools: readonly string[];
  owners: readonly string[];
  /** Every `arch/subarch` that there is an image for. */
  architectures: readonly string[];
  network: NetworkPlan;
}
