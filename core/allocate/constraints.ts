import type { LabelledInterface } from './interface-constraint.ts';
import type { StorageGroup } from './storage-constraint.ts';

/** Constraints after validation: names are known, specifiers are database ids, numbers are numbers. Absent = no limit. */
export interface Constraints {
  name?: string[];
  system_id?: string[];
  arch?: string[];
  not_arch?: string[];
  cpu_count?: number;
  cpu_speed?: number;
  mem?: number;
  link_speed?: number;
  tags?: string[];
  not_tags?: string[];
  zone?: string[];
  not_in_zone?: string[];
  pool?: string[];
  not_in_pool?: string[];
  owner?: string[];
  not_owner?: string[];
  power_state?: string[];
  not_power_state?: string[];
  deployment_target?: string[];
  not_deployment_target?: string[];
  fabrics?: string[];
  not_fabrics?: string[];
  fabric_classes?: string[];
  not_fabric_classes?: string[];
  subnets?: number[];
  not_subnets?: number[];
  vlans?: number[];
  not_vlans?: number[];
  storage?: { text: string; groups: StorageGroup[] };
  interfaces?: { text: string; labels: LabelledInterface[] };
}

export type ConstraintName = keyof Constraints;

/** Parameter name and its values, in the order of submission. */
export type Submitted = readonly (readonly [name: string, values: readonly string[]])[];
