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

/** Texts of shared objects by indentation; gone with the object. */
const texts = new WeakMap<object, Map<string, string>>();

/**
 * Marks an object that stands in many places, or in many bodies: its text is made once for each depth and kept as long
 * as the object is. It must not change afterwards.
 */
export function shared<Value extends { readonly [key: string]: Json | undefined }>(value: Value): Value {
  if (!texts.has(value)) texts.set(value, new Map());
  return value;
}

/**
 * JSON as MAAS prints it: four spaces a level, non-ASCII characters raw, keys in the order given, undefined keys left
 * out. Own writer because JSON.stringify cannot print a float without losing `.0`.
 */
export function toJson(value: Json, indent = ''): string {
  switch (typeof value) {
    case 'string':
      return quoted(value);
    case 'number':
      return Number.isFinite(value) ? String(value) : 'null';
    case 'boolean':
      return value ? 'true' : 'false';
    default:
  }
  if (value === null) return 'null';
  if (isList(value)) return listText(value, indent);
  const kept = texts.get(value);
  const known = kept?.get(indent);
  if (known !== undefined) return known;
  const text = isFloat(value) ? floatText(value) : objectText(value, indent);
  kept?.set(indent, text);
  return text;
}

function listText(list: readonly Json[], indent: string): string {
  if (list.length === 0) return '[]';
  const deeper = `${indent}    `;
  let text = '[';
  let separator = '\n';
  for (const item of list) {
    text += separator + deeper + toJson(item, deeper);
    separator = ',\n';
  }
  return `${text}\n${indent}]`;
}

function objectText(object: { readonly [key: string]: Json | undefined }, indent: string): string {
  const deeper = `${indent}    `;
  let text = '{';
  let separator = '\n';
  for (const key of Object.keys(object)) {
    const item = object[key];
    if (item === undefined) continue;
    text += `${separator}${deeper}${quoted(key)}: ${toJson(item, deeper)}`;
    separator = ',\n';
  }
  return text === '{' ? '{}' : `${text}\n${indent}}`;
}

const floatText = ({ float: value }: Float): string => (Number.isInteger(value) ? value.toFixed(1) : String(value));

/** Most texts need no escape; looking is cheaper than JSON.stringify. Beyond ASCII it decides (lone surrogates). */
const PLAIN = /^[ !#-[\]-~]*$/;

const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));

function isList(
  value: readonly Json[] | Float | { readonly [key: string]: Json | undefined },
): value is readonly Json[] {
  return Array.isArray(value);
}

/** Exactly one key named `float` holding a number; no object of the dialect looks like that. */
function isFloat(value: Float | { readonly [key: string]: Json | undefined }): value is Float {
  return typeof value.float === 'number' && Object.keys(value).length === 1;
}
