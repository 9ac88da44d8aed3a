/** RMCP presence ping and pong (IPMI 2.0 §13.2.3–13.2.4): how tools ask whether anything at an address speaks IPMI. */

const RMCP_ASF = 0x06;
const ASF_IANA = [0x00, 0x00, 0x11, 0xbe] as const;
const PING = 0x80;
const PONG = 0x40;
/** Bit 7: IPMI is spoken; low nibble: ASF version 1. */
const ENTITIES = 0x81;

/** The pong for a ping; null for anything else. */
export function pongFor(bytes: Buffer): Buffer | null {
  if (bytes.length < 12 || bytes[0] !== 0x06 || bytes[3] !== RMCP_ASF || bytes[8] !== PING) return null;
  if (ASF_IANA.some((byte, i) => bytes[4 + i] !== byte)) return null;
  const head = [0x06, 0x00, 0xff, RMCP_ASF, ...ASF_IANA, PONG, bytes[9] ?? 0, 0x00, 0x10];
  return Buffer.from([...head, ...ASF_IANA, 0, 0, 0, 0, ENTITIES, 0, 0, 0, 0, 0, 0, 0]);
}
