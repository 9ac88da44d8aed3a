/** IPMI LAN messages (IPMI 2.0 §13.8): the layer inside the session wrapper, same for IPMI 1.5 and RMCP+. */

export const NETFN = { chassis: 0x00, app: 0x06 } as const;

const BMC_ADDRESS = 0x20;
/** Software id of a remote console. */
const CONSOLE_ADDRESS = 0x81;

export interface IpmiRequest {
  netFn: number;
  command: number;
  /** 0–63; the reply carries it back. */
  sequence: number;
  data: Buffer;
}

export interface IpmiReply {
  netFn: number;
  command: number;
  sequence: number;
  completion: number;
  data: Buffer;
}

/** Two's complement of the sum of the bytes. */
export function checksum(bytes: Buffer): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  return -sum & 0xff;
}

export function encodeRequest(request: IpmiRequest): Buffer {
  return encodeMessage(BMC_ADDRESS, CONSOLE_ADDRESS, request, request.data);
}

/** The BMC's side; `netFn` is that of the reply (odd). */
export function encodeReply(reply: IpmiReply): Buffer {
  return encodeMessage(
    CONSOLE_ADDRESS,
    BMC_ADDRESS,
    reply,
    Buffer.concat([Buffer.from([reply.completion]), reply.data]),
  );
}

function encodeMessage(
  to: number,
  from: number,
  head: { netFn: number; command: number; sequence: number },
  data: Buffer,
): Buffer {
  const first = Buffer.from([to, (head.netFn << 2) & 0xff]);
  const second = Buffer.concat([Buffer.from([from, (head.sequence << 2) & 0xff, head.command]), data]);
  return Buffer.concat([first, Buffer.from([checksum(first)]), second, Buffer.from([checksum(second)])]);
}

/** Null when too short or, unless `ignoreChecksums` (some BMCs get them wrong), when a checksum differs. */
export function decodeReply(bytes: Buffer, ignoreChecksums = false): IpmiReply | null {
  const message = decodeMessage(bytes, 8, ignoreChecksums);
  return message && { ...message.head, completion: bytes[6] ?? 0, data: bytes.subarray(7, -1) };
}

/** The reply to that very request; null for any other message. */
export function replyTo(
  message: Buffer,
  netFn: number,
  command: number,
  sequence: number,
  ignoreChecksums: boolean,
): IpmiReply | null {
  const reply = decodeReply(message, ignoreChecksums);
  const matches = reply?.netFn === netFn + 1 && reply.command === command && reply.sequence === sequence;
  return matches ? reply : null;
}

/** The BMC's side. */
export function decodeRequest(bytes: Buffer): IpmiRequest | null {
  const message = decodeMessage(bytes, 7, false);
  return message && { ...message.head, data: bytes.subarray(6, -1) };
}

function decodeMessage(
  bytes: Buffer,
  shortest: number,
  ignoreChecksums: boolean,
): { head: { netFn: number; command: number; sequence: number } } | null {
  if (bytes.length < shortest) return null;
  // A sum over bytes and their checksum is zero.
  if (!ignoreChecksums && (checksum(bytes.subarray(0, 3)) !== 0 || checksum(bytes.subarray(3)) !== 0)) return null;
  return { head: { netFn: (bytes[1] ?? 0) >> 2, sequence: (bytes[4] ?? 0) >> 2, command: bytes[5] ?? 0 } };
}
