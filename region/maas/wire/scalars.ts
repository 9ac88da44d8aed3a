import { badRequest, invalidField } from './errors.ts';
import { lastOf, type Values } from './values.ts';

const TRUE_WORDS = new Set(['true', 't', 'yes', 'y', 'on', '1']);
const FALSE_WORDS = new Set(['false', 'f', 'no', 'n', 'off', '0']);

/** The strict rule (force, dry_run, verbose, commission …): a fixed set of words; others are 400 text. */
export function strictBoolean(values: Values, name: string, absent: boolean): boolean {
  const value = lastOf(values, name);
  if (value === undefined || value === '') return absent;
  const word = value.toLowerCase();
  if (TRUE_WORDS.has(word)) return true;
  if (FALSE_WORDS.has(word)) return false;
  throw badRequest(`Invalid ${name}: Value should be one of: ${[...TRUE_WORDS, ...FALSE_WORDS].join(', ')}`);
}

/** The checkbox rule of plain forms (enable_ssh, erase, managed …): absent, empty and `false` are false, all else true. */
export function checkbox(values: Values, name: string, absent = false): boolean {
  const value = lastOf(values, name);
  if (value === undefined) return absent;
  return value !== '' && value.toLowerCase() !== 'false';
}

/** Rule of subnets' allow_dns and allow_proxy: only `true`, `t` and `1` are true. */
export function narrowBoolean(values: Values, name: string, absent: boolean): boolean {
  const value = lastOf(values, name);
  if (value === undefined) return absent;
  return ['true', 't', '1'].includes(value.toLowerCase());
}

/** Any text is true, `False` included (include_output). */
export function anyText(values: Values, name: string): boolean {
  return (lastOf(values, name) ?? '') !== '';
}

export interface IntegerRange {
  min?: number;
  max?: number;
}

/** Undefined when absent or empty; a bad number is a form error under the field. */
export function formInteger(values: Values, name: string, range: IntegerRange = {}): number | undefined {
  const value = lastOf(values, name)?.trim();
  if (value === undefined || value === '') return undefined;
  if (!/^-?\d{1,15}$/.test(value)) throw invalidField(name, 'Enter a whole number.');
  const number = Number(value);
  if (range.min !== undefined && number < range.min) {
    throw invalidField(name, `Ensure this value is greater than or equal to ${range.min}.`);
  }
  if (range.max !== undefined && number > range.max) {
    throw invalidField(name, `Ensure this value is less than or equal to ${range.max}.`);
  }
  return number;
}

const DECIMAL_POWERS: Record<string, number> = { K: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 };

/** Bytes with an optional decimal suffix letter: `500G` is 500·10⁹. */
export function formBytes(values: Values, name: string): number | undefined {
  const value = lastOf(values, name)?.trim();
  if (value === undefined || value === '') return undefined;
  const match = /^(\d+(?:\.\d+)?)([KMGTPE])?$/i.exec(value);
  if (match?.[1] === undefined) throw invalidField(name, 'Enter a valid size, for example 8G.');
  return Math.floor(Number(match[1]) * (DECIMAL_POWERS[(match[2] ?? '').toUpperCase()] ?? 1));
}

/** Lower case with colons, from colon, dash or dotted form; null when it is no MAC address. */
export function normaliseMac(text: string): string | null {
  const hex = text.trim().toLowerCase();
  if (!/^(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})$/.test(hex))
    return null;
  const digits = hex.replace(/[^0-9a-f]/g, '');
  return digits.match(/../g)?.join(':') ?? null;
}

/** Values split on commas and white space, empty ones dropped. */
export function splitWords(values: readonly string[]): string[] {
  return values.flatMap((value) => value.split(/[\s,]+/)).filter((word) => word !== '');
}
