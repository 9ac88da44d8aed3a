/** A number that must keep its fraction on the wire: strict clients insist on `8000.0` where a float is meant. */
export interface Float {
  readonly float: number;
}

export const float = (value: number): Float => ({ float: value });

export type Json =
  | string
  | number
  | boolean
  | null
  | Float
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/**
 * JSON as MAAS prints it: four spaces a level, non-ASCII characters raw, keys in the order given, undefined keys left
 * out. Own writer because JSON.stringify cannot print a float without losing `.0`.
 */
export function toJson(value: Json, indent = ''): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  const deeper = `${indent}    `;
  if (isList(value)) {
    if (value.length === 0) return '[]';
    return `[\n${value.map((item) => deeper + toJson(item, deeper)).join(',\n')}\n${indent}]`;
  }
  if (isFloat(value)) return Number.isInteger(value.float) ? value.float.toFixed(1) : String(value.float);
  const lines: string[] = [];
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) lines.push(`${deeper}${JSON.stringify(key)}: ${toJson(item, deeper)}`);
  }
  return lines.length === 0 ? '{}' : `{\n${lines.join(',\n')}\n${indent}}`;
}

function isList(
  value: readonly Json[] | Float | { readonly [key: string]: Json | undefined },
): value is readonly Json[] {
  return Array.isArray(value);
}

/** Exactly one key named `float` holding a number; no object of the dialect looks like that. */
function isFloat(value: Float | { readonly [key: string]: Json | undefined }): value is Float {
  return typeof value.float === 'number' && Object.keys(value).length === 1;
}
