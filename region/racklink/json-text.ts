/**
 * Parses JSON that a machine or rack sent; undefined when it is none. NUL characters, which hardware now and then puts
 * into its names, are taken out: PostgreSQL stores none, neither in text nor in jsonb.
 */
export function parseWireJson(text: string): unknown {
  try {
    return JSON.parse(text, (_key, value: unknown) =>
      typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '') : value,
    );
  } catch {
    return undefined;
  }
}
