import { storable } from '../store/storable.ts';

/** Parses JSON that a machine or rack sent, every string as it can be stored; undefined when it is none. */
export function parseWireJson(text: string): unknown {
  try {
    return JSON.parse(text, (_key, value: unknown) => (typeof value === 'string' ? storable(value) : value));
  } catch {
    return undefined;
  }
}
