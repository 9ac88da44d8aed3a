/** One field of a power type as clients see it (the MAAS schema of power types). */
export interface PowerField {
  name: string;
  label: string;
  required: boolean;
  field_type: 'string' | 'mac_address' | 'choice' | 'multiple_choice' | 'password';
  choices: [value: string, label: string][];
  default: string | string[];
  scope: 'bmc' | 'node';
  secret: boolean;
}

/** A power type: what forms are built of, what is asked for, what is sealed. Region, rack and clients read the same one. */
export interface PowerType {
  driver_type: 'power';
  name: string;
  description: string;
  /** Several machines may share one BMC. */
  chassis: boolean;
  can_probe: boolean;
  /** False: state is never known, nothing is verified or polled. */
  queryable: boolean;
  fields: PowerField[];
  missing_packages: string[];
}

export function field(name: string, label: string, more: Partial<PowerField> = {}): PowerField {
  const plain = {
    required: false,
    field_type: 'string',
    choices: [],
    default: '',
    scope: 'bmc',
    secret: false,
  } as const;
  return { ...plain, name, label, ...more, choices: more.choices ?? [] };
}

/** A password: sealed in the database, masked in answers. */
export function secret(name: string, label: string, more: Partial<PowerField> = {}): PowerField {
  return field(name, label, { field_type: 'password', secret: true, ...more });
}

/** Most types look like this one; `more` says where one does not. */
export function powerType(name: string, description: string, more: Partial<PowerType>): PowerType {
  return {
    driver_type: 'power',
    name,
    description,
    chassis: false,
    can_probe: false,
    queryable: true,
    fields: [],
    missing_packages: [],
    ...more,
  };
}
