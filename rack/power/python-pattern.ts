import { createContext, runInContext } from 'node:vm';

/**
 * A regular expression in Python's syntax, as users of MAAS have written them, in ours: named groups, `\A`, `\Z` and flags
 * at the start are spelled otherwise. Null when it is none.
 */
export function pythonPattern(text: string): RegExp | null {
  const flagged = /^\(\?([aimsLu]+)\)/.exec(text);
  const flags = (flagged?.[1] ?? '').replace(/[^ims]/g, '');
  const source = (flagged ? text.slice(flagged[0].length) : text)
    .replaceAll('(?P<', '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>')
    .replace(/(?<!\\)((?:\\\\)*)\\A/g, '$1(?<![\\s\\S])')
    .replace(/(?<!\\)((?:\\\\)*)\\Z/g, '$1(?![\\s\\S])');
  try {
    return new RegExp(source, [...new Set(flags)].join(''));
  } catch {
    return null;
  }
}

const LONGEST_MATCH_MS = 250;

/**
 * Whether the pattern is found in the text; null when finding out takes longer than a quarter of a second, as with
 * `(a+)+$`. A pattern cannot be interrupted but by the engine itself, hence the context.
 */
export function isFound(pattern: RegExp, text: string): boolean | null {
  const context = createContext({ source: pattern.source, flags: pattern.flags, text });
  try {
    return runInContext('new RegExp(source, flags).test(text)', context, { timeout: LONGEST_MATCH_MS }) === true;
  } catch {
    return null;
  }
}
