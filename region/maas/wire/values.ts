/**
 * Parameters as a client sent them: pairs in order of submission, names may repeat (a repeated name is a list). The order
 * matters because one error text of allocate quotes the pairs as submitted.
 */
export interface Values {
  readonly pairs: readonly (readonly [string, string])[];
}

export const NO_VALUES: Values = { pairs: [] };

/** The last occurrence counts where one value is expected; undefined when the name is absent. */
export function lastOf(values: Values, name: string): string | undefined {
  for (let i = values.pairs.length - 1; i >= 0; i--) {
    const pair = values.pairs[i];
    if (pair?.[0] === name) return pair[1];
  }
  return undefined;
}

export function allOf(values: Values, name: string): string[] {
  return values.pairs.filter((pair) => pair[0] === name).map((pair) => pair[1]);
}

export function has(values: Values, name: string): boolean {
  return values.pairs.some((pair) => pair[0] === name);
}

/** Distinct names in order of first appearance. */
export function namesOf(values: Values): string[] {
  return [...new Set(values.pairs.map((pair) => pair[0]))];
}

export function without(values: Values, drop: (name: string) => boolean): Values {
  return { pairs: values.pairs.filter((pair) => !drop(pair[0])) };
}

/** A present and not blank value, or undefined. */
export function textOf(values: Values, name: string): string | undefined {
  const value = lastOf(values, name);
  return value === undefined || value === '' ? undefined : value;
}

/** `a=1&b=2` in the manner of HTML forms: `+` is a space, bad percent signs stay as they are. */
export function parseUrlEncoded(text: string): Values {
  return { pairs: [...new URLSearchParams(text)] };
}
