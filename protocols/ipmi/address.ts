export const IPMI_PORT = 623;

/**
 * `10.0.0.5`, `10.0.0.5:9001`, `bmc.example:9001`, `fe80::1`, `[fe80::1]:9001` → host and port. Null when the text is
 * none of these.
 */
export function parseBmcAddress(text: string): { host: string; port: number } | null {
  const trimmed = text.trim();
  const bracketed = /^\[([0-9a-fA-F:.%\w]+)\](?::(\d{1,5}))?$/.exec(trimmed);
  if (bracketed) return withPort(bracketed[1], bracketed[2]);
  // More than one colon without brackets is a bare IPv6 address.
  if ((trimmed.match(/:/g) ?? []).length > 1)
    return /^[0-9a-fA-F:.]+(%\w+)?$/.test(trimmed) ? withPort(trimmed, undefined) : null;
  const plain = /^([A-Za-z0-9_.-]+)(?::(\d{1,5}))?$/.exec(trimmed);
  return plain ? withPort(plain[1], plain[2]) : null;
}

function withPort(host: string | undefined, port: string | undefined): { host: string; port: number } | null {
  const number = port === undefined ? IPMI_PORT : Number(port);
  return host && number >= 1 && number <= 65535 ? { host, port: number } : null;
}
