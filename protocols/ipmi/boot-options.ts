/** System boot options (IPMI 2.0 §28.12–28.14) as a BMC keeps them: one value a parameter. */

export interface BootOverride {
  device: 'pxe' | 'disk' | 'cdrom' | 'setup' | 'other';
  efi: boolean;
  /** Not for the next boot alone. */
  persistent: boolean;
}

const FLAGS = 5;
/** Set in progress, service partition, its scan, keep flags, acknowledge, boot flags: number → bytes. */
const LENGTHS: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 1],
  [2, 1],
  [3, 1],
  [4, 2],
  [FLAGS, 5],
]);

export type BootParameters = Map<number, Buffer>;

/** Parameter's bytes, zeros before it was ever set; null for one that this BMC does not have. */
export function getBootParameter(parameters: BootParameters, selector: number): Buffer | null {
  const length = LENGTHS.get(selector);
  return length === undefined ? null : (parameters.get(selector) ?? Buffer.alloc(length));
}

/** `boot` is given when the boot device changed; inside, null = no override any more. */
export function setBootParameter(
  parameters: BootParameters,
  selector: number,
  value: Buffer,
): 'unknown' | 'wrong length' | { boot?: BootOverride | null } {
  const length = LENGTHS.get(selector);
  if (length === undefined) return 'unknown';
  // A parameter without data changes only its valid mark.
  if (value.length === 0) return {};
  if (value.length !== length) return 'wrong length';
  parameters.set(selector, Buffer.from(value));
  return selector === FLAGS ? { boot: readOverride(value) } : {};
}

/** What was armed for one boot is used up by it. */
export function forgetOneBoot(parameters: BootParameters): void {
  const persistent = ((parameters.get(FLAGS)?.[0] ?? 0) & 0x40) !== 0;
  if (!persistent) parameters.delete(FLAGS);
}

function readOverride(flags: Buffer): BootOverride | null {
  const [first = 0, second = 0] = flags;
  const code = (second >> 2) & 0x0f;
  if ((first & 0x80) === 0 || code === 0) return null;
  const names: Readonly<Record<number, BootOverride['device']>> = { 1: 'pxe', 2: 'disk', 5: 'cdrom', 6: 'setup' };
  return { device: names[code] ?? 'other', efi: (first & 0x20) !== 0, persistent: (first & 0x40) !== 0 };
}
