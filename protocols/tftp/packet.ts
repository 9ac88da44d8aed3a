/** TFTP packets: RFC 1350, with the options of RFC 2347–2349. Pure: bytes in, records out. */

export const OPCODE = { rrq: 1, wrq: 2, data: 3, ack: 4, error: 5, oack: 6 } as const;

/** RFC 1350 §5 and RFC 2347 (8). */
export const TFTP_ERROR = {
  undefined: 0,
  notFound: 1,
  accessViolation: 2,
  diskFull: 3,
  illegalOperation: 4,
  unknownTransfer: 5,
  fileExists: 6,
  noSuchUser: 7,
  optionRefused: 8,
} as const;

export type Packet =
  | { kind: 'rrq' | 'wrq'; name: string; mode: string; options: Record<string, string> }
  | { kind: 'data'; block: number; data: Buffer }
  | { kind: 'ack'; block: number }
  | { kind: 'error'; code: number; message: string }
  | { kind: 'oack'; options: Record<string, string> };

/** A request longer than this is not a TFTP request: RFC 2347 limits it to 512 octets. */
const REQUEST_LIMIT = 512;
const OPTION_LIMIT = 16;

/** Null for anything that is not a well-formed packet; the caller drops it. Option names come out in lower case. */
export function decodePacket(bytes: Buffer): Packet | null {
  if (bytes.length < 2) return null;
  switch (bytes.readUInt16BE(0)) {
    case OPCODE.rrq:
      return decodeRequest('rrq', bytes);
    case OPCODE.wrq:
      return decodeRequest('wrq', bytes);
    case OPCODE.data:
      return bytes.length < 4 ? null : { kind: 'data', block: bytes.readUInt16BE(2), data: bytes.subarray(4) };
    case OPCODE.ack:
      return bytes.length < 4 ? null : { kind: 'ack', block: bytes.readUInt16BE(2) };
    case OPCODE.error: {
      if (bytes.length < 4) return null;
      const end = bytes.indexOf(0, 4);
      const message = bytes.toString('latin1', 4, end < 0 ? bytes.length : end);
      return { kind: 'error', code: bytes.readUInt16BE(2), message };
    }
    case OPCODE.oack: {
      const options = decodeOptions(splitStrings(bytes));
      return options === null ? null : { kind: 'oack', options };
    }
    default:
      return null;
  }
}

function decodeRequest(kind: 'rrq' | 'wrq', bytes: Buffer): Packet | null {
  if (bytes.length > REQUEST_LIMIT) return null;
  const [name, mode, ...rest] = splitStrings(bytes);
  if (name === undefined || mode === undefined || name === '') return null;
  const options = decodeOptions(rest);
  return options === null ? null : { kind, name, mode: mode.toLowerCase(), options };
}

/** The zero-terminated strings after the opcode. Some PXE ROMs pad the request with zeros: a trailing empty string is dropped. */
function splitStrings(bytes: Buffer): string[] {
  const out: string[] = [];
  let at = 2;
  while (at < bytes.length && out.length < 2 + 2 * OPTION_LIMIT) {
    const end = bytes.indexOf(0, at);
    if (end < 0) break;
    out.push(bytes.toString('latin1', at, end));
    at = end + 1;
  }
  while (out.length > 2 && out.at(-1) === '' && out.at(-2) === '') out.pop();
  if (out.length > 2 && out.length % 2 === 1 && out.at(-1) === '') out.pop();
  return out;
}

function decodeOptions(strings: string[]): Record<string, string> | null {
  if (strings.length % 2 === 1) return null;
  const options: Record<string, string> = Object.create(null);
  for (let i = 0; i < strings.length; i += 2) {
    const name = (strings[i] ?? '').toLowerCase();
    if (name !== '' && !(name in options)) options[name] = strings[i + 1] ?? '';
  }
  return { ...options };
}

export function encodePacket(packet: Packet): Buffer {
  switch (packet.kind) {
    case 'rrq':
    case 'wrq':
      return encodeStrings(OPCODE[packet.kind], [packet.name, packet.mode, ...Object.entries(packet.options).flat()]);
    case 'oack':
      return encodeStrings(OPCODE.oack, Object.entries(packet.options).flat());
    case 'data': {
      const head = Buffer.alloc(4);
      head.writeUInt16BE(OPCODE.data, 0);
      head.writeUInt16BE(packet.block, 2);
      return Buffer.concat([head, packet.data]);
    }
    case 'ack': {
      const out = Buffer.alloc(4);
      out.writeUInt16BE(OPCODE.ack, 0);
      out.writeUInt16BE(packet.block, 2);
      return out;
    }
    case 'error': {
      const head = Buffer.alloc(4);
      head.writeUInt16BE(OPCODE.error, 0);
      head.writeUInt16BE(packet.code, 2);
      return Buffer.concat([head, Buffer.from(`${packet.message}\0`, 'latin1')]);
    }
  }
}

function encodeStrings(opcode: number, strings: string[]): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(opcode, 0);
  return Buffer.concat([head, ...strings.map((s) => Buffer.from(`${s}\0`, 'latin1'))]);
}
