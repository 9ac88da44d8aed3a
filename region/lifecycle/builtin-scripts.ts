/** Scripts that the agent carries out under their MAAS names. Numbers as in the API: hardware type and parallel. */
export interface BuiltinScript {
  name: string;
  kind: 'commissioning' | 'testing' | 'release';
  /** 0 node, 1 cpu, 2 memory, 3 storage, 4 network, 5 gpu. */
  hardwareType: 0 | 1 | 2 | 3 | 4 | 5;
  /** 0 one at a time, 1 only beside other instances of itself, 2 any. */
  parallel: 0 | 1 | 2;
  /** 0 = none. */
  timeoutSeconds: number;
  tags: readonly string[];
  /** One result for each disk. */
  perDisk: boolean;
  /** Tells only what the inventory says: the region makes its result when it takes that, the agent is not asked for it. */
  fromInventory: boolean;
}

const SERIAL = 0;
const INSTANCE = 1;
const ANY = 2;
const NODE = 0;
const STORAGE = 3;

type Shape = Pick<BuiltinScript, 'parallel' | 'timeoutSeconds'> & { tags?: readonly string[]; fromInventory?: true };
const commissioning = (name: string, shape: Shape): BuiltinScript => ({
  name,
  kind: 'commissioning',
  hardwareType: NODE,
  perDisk: false,
  fromInventory: false,
  ...shape,
  tags: ['node', ...(shape.tags ?? [])],
});

const HOUR = 3600;

/** A test of each disk for itself. Upstream leaves the long ones without a limit; a disk that hangs must not hold a machine for ever. */
const diskTest = (name: string, timeoutSeconds: number, tags: readonly string[]): BuiltinScript => ({
  name,
  kind: 'testing',
  hardwareType: STORAGE,
  parallel: INSTANCE,
  timeoutSeconds,
  tags,
  perDisk: true,
  fromInventory: false,
});

/**
 * In the order of their names, as they are listed. Limits are wider than upstream's 10 to 60 s: the first script that needs the
 * drivers waits for them, and a slow or busy machine must not fail for that; what hangs is still ended in minutes.
 */
export const BUILTIN_SCRIPTS: readonly BuiltinScript[] = [
  commissioning('20-maas-01-install-lldpd', { parallel: SERIAL, timeoutSeconds: 180 }),
  commissioning('20-maas-02-dhcp-unconfigured-ifaces', { parallel: SERIAL, timeoutSeconds: 180 }),
  commissioning('20-maas-03-machine-resources', {
    parallel: SERIAL,
    timeoutSeconds: 180,
    tags: ['deploy-info'],
    fromInventory: true,
  }),
  commissioning('30-maas-01-bmc-config', { parallel: SERIAL, timeoutSeconds: 300, tags: ['bmc-config'] }),
  commissioning('40-maas-01-machine-config-hints', { parallel: SERIAL, timeoutSeconds: 180, fromInventory: true }),
  commissioning('50-maas-01-commissioning', {
    parallel: SERIAL,
    timeoutSeconds: 180,
    tags: ['deploy-info'],
    fromInventory: true,
  }),
  commissioning('maas-capture-lldpd', { parallel: ANY, timeoutSeconds: 180 }),
  commissioning('maas-get-fruid-api-data', { parallel: ANY, timeoutSeconds: 180 }),
  commissioning('maas-kernel-cmdline', { parallel: ANY, timeoutSeconds: 180, fromInventory: true }),
  commissioning('maas-list-modaliases', {
    parallel: ANY,
    timeoutSeconds: 180,
    tags: ['deploy-info'],
    fromInventory: true,
  }),
  commissioning('maas-lshw', { parallel: ANY, timeoutSeconds: 300, tags: ['deploy-info'], fromInventory: true }),
  commissioning('maas-serial-ports', {
    parallel: ANY,
    timeoutSeconds: 180,
    tags: ['deploy-info'],
    fromInventory: true,
  }),
  commissioning('maas-support-info', {
    parallel: ANY,
    timeoutSeconds: 300,
    tags: ['deploy-info'],
    fromInventory: true,
  }),
  diskTest('smartctl-validate', 300, ['storage', 'commissioning']),
  diskTest('smartctl-short', 600, ['storage']),
  diskTest('smartctl-conveyance', 2 * HOUR, ['storage']),
  diskTest('smartctl-long', 24 * HOUR, ['storage']),
  diskTest('badblocks', 3 * 24 * HOUR, ['storage']),
  // Whoever says "storage" does not mean that what is on the disks may go.
  diskTest('badblocks-destructive', 7 * 24 * HOUR, ['destructive']),
  {
    name: 'wipe-disks',
    kind: 'release',
    hardwareType: STORAGE,
    parallel: SERIAL,
    timeoutSeconds: 0,
    tags: ['wipe', 'disk', 'storage'],
    perDisk: false,
    fromInventory: false,
  },
];

const FROM_INVENTORY: ReadonlySet<string> = new Set(
  BUILTIN_SCRIPTS.filter(({ fromInventory }) => fromInventory).map(({ name }) => name),
);

/** The region makes this built-in script's result itself. */
export function isFromInventory(script: { name: string; builtin: boolean }): boolean {
  return script.builtin && FROM_INVENTORY.has(script.name);
}

/** The first word that is neither the name of a script of this kind nor a tag of one; null: all are. */
export function unknownScript(kind: BuiltinScript['kind'], words: readonly string[]): string | null {
  return words.find((word) => chosen(kind, [word]).length === 0) ?? null;
}

export function scriptNamesOf(kind: BuiltinScript['kind']): string[] {
  return BUILTIN_SCRIPTS.filter((script) => script.kind === kind).map(({ name }) => name);
}

function chosen(kind: BuiltinScript['kind'], words: readonly string[]): BuiltinScript[] {
  return BUILTIN_SCRIPTS.filter(
    (script) => script.kind === kind && words.some((word) => word === script.name || script.tags.includes(word)),
  );
}

/**
 * What runs for a choice of names and tags. Commissioning: the built-ins always. Testing: those tagged `commissioning`
 * when nothing was chosen, none for `none`. Release: only what was chosen.
 */
export function selectScripts(kind: BuiltinScript['kind'], choice: readonly string[] | undefined): BuiltinScript[] {
  if (kind === 'commissioning') return BUILTIN_SCRIPTS.filter((script) => script.kind === kind);
  if (choice?.includes('none')) return [];
  if (choice === undefined || choice.length === 0) return kind === 'testing' ? chosen(kind, ['commissioning']) : [];
  return chosen(kind, choice);
}
