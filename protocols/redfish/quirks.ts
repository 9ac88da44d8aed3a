/** Where vendors differ in what the standard leaves no room for. What a resource says of itself needs no row here. */
export interface Quirks {
  /**
   * BootSourceOverrideMode in a boot override: `changed` = only where it has to become another; `always` = along with each,
   * where the system has one; `never`.
   */
  bootMode: 'changed' | 'always' | 'never';
}

interface QuirkRow {
  manufacturer: RegExp;
  quirks: Partial<Quirks>;
  /** Who saw it. */
  source: string;
}

const USUAL: Quirks = { bootMode: 'changed' };

const ROWS: readonly QuirkRow[] = [
  {
    // Falls back to its default mode when a change does not say it again; the vendor calls that by design.
    manufacturer: /supermicro/i,
    quirks: { bootMode: 'always' },
    source: 'DMTF/Redfishtool #106; ironcore-dev/metal-operator #607, #985',
  },
  {
    // The mode cannot be written: naming it spoils the whole change with a 400.
    manufacturer: /^(hpe?|hewlett)/i,
    quirks: { bootMode: 'never' },
    source: 'ansible-collections/community.general #3509; metal3-io/metal3-docs #581',
  },
];

export function quirksOf(manufacturer: string): Quirks {
  const row = ROWS.find((each) => each.manufacturer.test(manufacturer.trim()));
  return { ...USUAL, ...row?.quirks };
}
