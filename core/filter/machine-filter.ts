import type { Status } from '../machine/status.ts';

/** What the filter language can see of a machine; a MachineView of the contract is one. */
export interface FilterSubject {
  systemId: string;
  hostname: string;
  fqdn: string;
  status: Status;
  statusName: string;
  owner: string | null;
  locked: boolean;
  zone: string;
  pool: string;
  tags: readonly string[];
  architecture: string;
  powerType: string;
  powerState: string;
  cpuCount: number;
  /** MiB */
  memory: number;
  /** Bytes */
  storage: number;
  diskCount: number;
  osystem: string;
  distroSeries: string;
  addresses: readonly string[];
}

type Comparison = '>=' | '<=' | '>' | '<' | '=';

/** One condition; a filter is all of its conditions. Alternatives inside one term: `status:ready,deployed`. */
export type FilterTerm =
  | { kind: 'text'; not: boolean; text: string }
  | { kind: 'field'; not: boolean; field: TextField; values: string[] }
  | { kind: 'number'; not: boolean; field: NumberField; comparison: Comparison; value: number };

export type FilterResult = { ok: true; terms: FilterTerm[] } | { ok: false; message: string; fix: string };

const TEXT_FIELDS = [
  'name',
  'status',
  'owner',
  'zone',
  'pool',
  'tag',
  'arch',
  'power',
  'power-type',
  'os',
  'ip',
  'locked',
] as const;
type TextField = (typeof TEXT_FIELDS)[number];

const NUMBER_FIELDS = ['cpu', 'mem', 'storage', 'disks'] as const;
type NumberField = (typeof NUMBER_FIELDS)[number];

const OTHER_NAMES: Record<string, TextField | NumberField> = {
  hostname: 'name',
  tags: 'tag',
  architecture: 'arch',
  'power-state': 'power',
  cores: 'cpu',
  memory: 'mem',
  disk: 'disks',
};

/** Bound on a filter's length: it is evaluated once per machine. */
const FILTER_LIMIT = { characters: 1024, terms: 32 } as const;

const UNITS: Record<string, number> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40, P: 2 ** 50 };

/**
 * Reads `text` as conditions separated by blanks: free words, `field:value`, `field:a,b` (either), `-field:value` or
 * `!word` (not), `cpu:>=4`, `mem:>=16G`, `storage:<1T`; quotes keep blanks together: `status:"failed testing"`.
 * Sizes without a unit are MiB for `mem` and GiB for `storage`. Text matches a part of the field, except status, tag,
 * zone, pool, owner, power, which match whole (`=` forces a whole match elsewhere: `name:=web1`).
 */
export function parseFilter(text: string): FilterResult {
  if (text.length > FILTER_LIMIT.characters) {
    return {
      ok: false,
      message: `The filter is longer than ${FILTER_LIMIT.characters} characters.`,
      fix: 'Shorten it.',
    };
  }
  const words = split(text);
  if (words === null) {
    return { ok: false, message: 'A quote in the filter is not closed.', fix: 'Close it with ".' };
  }
  if (words.length > FILTER_LIMIT.terms) {
    return { ok: false, message: `The filter has more than ${FILTER_LIMIT.terms} terms.`, fix: 'Use fewer terms.' };
  }
  const terms: FilterTerm[] = [];
  for (const word of words) {
    const term = parseTerm(word);
    if ('ok' in term) return term;
    terms.push(term);
  }
  return { ok: true, terms };
}

/** True when the machine meets every term. Text is compared without regard to case. */
export function matchesFilter(terms: readonly FilterTerm[], machine: FilterSubject): boolean {
  return terms.every((term) => holds(term, machine) !== term.not);
}

/** Blanks separate, quotes join and are dropped. Null: an open quote. */
function split(text: string): string[] | null {
  const words: string[] = [];
  let word = '';
  let quoted = false;
  let any = false;
  for (const letter of text) {
    if (letter === '"') {
      quoted = !quoted;
      any = true;
    } else if (!quoted && /\s/.test(letter)) {
      if (word !== '' || any) words.push(word);
      word = '';
      any = false;
    } else {
      word += letter;
    }
  }
  if (quoted) return null;
  if (word !== '' || any) words.push(word);
  return words.filter((one) => one !== '');
}

function parseTerm(raw: string): FilterTerm | { ok: false; message: string; fix: string } {
  const not = raw.length > 1 && (raw.startsWith('!') || raw.startsWith('-'));
  const word = not ? raw.slice(1) : raw;
  const colon = word.indexOf(':');
  const key = colon < 0 ? '' : word.slice(0, colon).toLowerCase();
  // A MAC or an IPv6 address is free text, although it holds colons.
  if (colon < 0 || !/^[a-z-]+$/.test(key) || looksLikeAddress(word)) {
    return { kind: 'text', not, text: word.toLowerCase() };
  }
  const field = OTHER_NAMES[key] ?? key;
  const value = word.slice(colon + 1);
  if (isOneOf(TEXT_FIELDS, field)) {
    const values = value
      .split(',')
      .map((one) => one.toLowerCase())
      .filter((one) => one !== '');
    if (values.length === 0) {
      return {
        ok: false,
        message: `"${raw}" names no value.`,
        fix: `Write ${key}:VALUE, or ${key}:A,B for either.`,
      };
    }
    return { kind: 'field', not, field, values };
  }
  if (isOneOf(NUMBER_FIELDS, field)) return parseNumber(raw, not, field, value);
  return {
    ok: false,
    message: `"${key}" is not a field of the filter.`,
    fix: `Fields: ${[...TEXT_FIELDS, ...NUMBER_FIELDS].join(', ')}; words without a colon search everywhere.`,
  };
}

function parseNumber(
  raw: string,
  not: boolean,
  field: NumberField,
  value: string,
): FilterTerm | { ok: false; message: string; fix: string } {
  const match = /^(>=|<=|>|<|=)?(\d+(?:\.\d+)?)([KMGTP])?(?:i?B)?$/i.exec(value);
  const sized = field === 'mem' || field === 'storage';
  if (!match || (match[3] !== undefined && !sized)) {
    return {
      ok: false,
      message: `"${raw}" is not a comparison.`,
      fix: sized ? `Write for example ${field}:>=16G.` : `Write for example ${field}:>=4.`,
    };
  }
  const unit = UNITS[(match[3] ?? (field === 'mem' ? 'M' : 'G')).toUpperCase()] ?? 1;
  const amount = Number(match[2]) * (sized ? unit : 1);
  return { kind: 'number', not, field, comparison: comparisonOf(match[1]), value: amount };
}

function comparisonOf(text: string | undefined): Comparison {
  return text === '>=' || text === '<=' || text === '>' || text === '<' ? text : '=';
}

function looksLikeAddress(word: string): boolean {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){1,5}$/i.test(word) || /^[0-9a-f]*(:[0-9a-f]*){2,}$/i.test(word);
}

function isOneOf<T extends string>(list: readonly T[], value: string): value is T {
  return (list as readonly string[]).includes(value);
}

function holds(term: FilterTerm, machine: FilterSubject): boolean {
  switch (term.kind) {
    case 'text':
      return searchable(machine).some((one) => one.toLowerCase().includes(term.text));
    case 'field':
      return term.values.some((value) => fieldHolds(term.field, value, machine));
    case 'number':
      return compare(numberOf(term.field, machine), term.comparison, term.value);
  }
}

function searchable(machine: FilterSubject): string[] {
  return [
    machine.systemId,
    machine.fqdn,
    machine.hostname,
    machine.statusName,
    machine.owner ?? '',
    machine.zone,
    machine.pool,
    machine.architecture,
    machine.osystem,
    machine.distroSeries,
    ...machine.tags,
    ...machine.addresses,
  ];
}

function fieldHolds(field: TextField, value: string, machine: FilterSubject): boolean {
  switch (field) {
    case 'name':
      return part(value, machine.hostname) || part(value, machine.fqdn) || part(value, machine.systemId);
    case 'status':
      return statusHolds(value, machine);
    case 'owner':
      return value === 'none' ? machine.owner === null : whole(value, machine.owner ?? '');
    case 'zone':
      return whole(value, machine.zone);
    case 'pool':
      return whole(value, machine.pool);
    case 'tag':
      return value === 'none' ? machine.tags.length === 0 : machine.tags.some((tag) => whole(value, tag));
    case 'arch':
      return part(value, machine.architecture);
    case 'power':
      return whole(value, machine.powerState);
    case 'power-type':
      return whole(value, machine.powerType);
    case 'os':
      return part(value, `${machine.osystem}/${machine.distroSeries}`);
    case 'ip':
      return machine.addresses.some((address) => part(value, address));
    case 'locked':
      return machine.locked === (value === 'yes' || value === 'true');
  }
}

/** `failed-testing`, `FAILED_TESTING`, `"failed testing"` are one; `failed` means every failed status. */
function statusHolds(value: string, machine: FilterSubject): boolean {
  const plain = (text: string) => text.toLowerCase().replace(/[\s_-]+/g, ' ');
  const wanted = plain(value.replace(/^=/, ''));
  if (wanted === 'failed') return machine.status.startsWith('FAILED_');
  return wanted === plain(machine.status) || wanted === plain(machine.statusName);
}

function whole(value: string, text: string): boolean {
  return value.replace(/^=/, '') === text.toLowerCase();
}

function part(value: string, text: string): boolean {
  return value.startsWith('=') ? whole(value, text) : text.toLowerCase().includes(value);
}

function numberOf(field: NumberField, machine: FilterSubject): number {
  switch (field) {
    case 'cpu':
      return machine.cpuCount;
    case 'mem':
      return machine.memory * 2 ** 20;
    case 'storage':
      return machine.storage;
    case 'disks':
      return machine.diskCount;
  }
}

function compare(left: number, comparison: Comparison, right: number): boolean {
  switch (comparison) {
    case '>=':
      return left >= right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '<':
      return left < right;
    case '=':
      return left === right;
  }
}
