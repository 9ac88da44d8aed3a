/** DHCPv4 on the wire: RFC 2131 §2, options of RFC 2132, long options of RFC 3396. Ethernet clients only. */

export interface DhcpPacket {
  op: 'request' | 'reply';
  /** Transaction id, unsigned 32 bits. */
  xid: number;
  /** Seconds since the client began. */
  secs: number;
  /** The client cannot take unicast yet: answer by broadcast. */
  broadcast: boolean;
  ciaddr: string;
  yiaddr: string;
  siaddr: string;
  /** Address of the relay agent; 0.0.0.0 when the client itself was heard. */
  giaddr: string;
  /** Lower case with colons. */
  chaddr: string;
  sname: string;
  file: string;
  /** By code, in the order they came. Neither pad nor end. */
  options: ReadonlyMap<number, Buffer>;
}

export const MESSAGE = { discover: 1, offer: 2, request: 3, ack: 5, nak: 6, inform: 8 } as const;
export const OPTION = {
  vendorSpecific: 43,
  overload: 52,
  messageType: 53,
  serverId: 54,
  parameterList: 55,
  vendorClass: 60,
  userClass: 77,
  clientArch: 93,
  clientUuid: 97,
} as const;

const HEADER = 236;
const COOKIE = Buffer.from([0x63, 0x82, 0x53, 0x63]);
/** Nothing that fits no Ethernet frame was sent by a client; jumbo frames included. */
const LARGEST = 9216;
/** BOOTP's packet was 300 bytes; some relays and ROMs drop what is shorter (RFC 1542 §2.1). */
const SMALLEST = 300;
const NOWHERE = '0.0.0.0';

/** Null for whatever is not a whole DHCP packet of an Ethernet client. */
export function decodeDhcp(bytes: Buffer): DhcpPacket | null {
  if (bytes.length < HEADER + COOKIE.length || bytes.length > LARGEST) return null;
  const [op, hardware, length] = bytes;
  if ((op !== 1 && op !== 2) || hardware !== 1 || length !== 6) return null;
  if (!bytes.subarray(HEADER, HEADER + 4).equals(COOKIE)) return null;
  const options = new Map<number, Buffer>();
  if (!readOptions(bytes.subarray(HEADER + 4), options)) return null;
  // RFC 2131 §4.1: the fields file (1) and sname (2) may hold further options.
  const overload = options.get(OPTION.overload)?.[0] ?? 0;
  if ((overload & 1) !== 0 && !readOptions(bytes.subarray(108, 236), options)) return null;
  if ((overload & 2) !== 0 && !readOptions(bytes.subarray(44, 108), options)) return null;
  return {
    op: op === 1 ? 'request' : 'reply',
    xid: bytes.readUInt32BE(4),
    secs: bytes.readUInt16BE(8),
    broadcast: (bytes.readUInt16BE(10) & 0x8000) !== 0,
    ciaddr: addressAt(bytes, 12),
    yiaddr: addressAt(bytes, 16),
    siaddr: addressAt(bytes, 20),
    giaddr: addressAt(bytes, 24),
    chaddr: [...bytes.subarray(28, 34)].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
    sname: (overload & 2) === 0 ? zeroEnded(bytes.subarray(44, 108)) : '',
    file: (overload & 1) === 0 ? zeroEnded(bytes.subarray(108, 236)) : '',
    options,
  };
}

/** False when an option says that it is longer than what is left. A missing end is forgiven. */
function readOptions(bytes: Buffer, into: Map<number, Buffer>): boolean {
  let at = 0;
  while (at < bytes.length) {
    const code = bytes[at] ?? 255;
    if (code === 255) return true;
    if (code === 0) {
      at += 1;
      continue;
    }
    const length = bytes[at + 1];
    if (length === undefined || at + 2 + length > bytes.length) return false;
    const value = bytes.subarray(at + 2, at + 2 + length);
    const before = into.get(code);
    into.set(code, before === undefined ? value : Buffer.concat([before, value]));
    at += 2 + length;
  }
  return true;
}

/** Throws RangeError for a file or sname that does not fit its field; both are caller's constants, not input. */
export function encodeDhcp(packet: DhcpPacket): Buffer {
  const head = Buffer.alloc(HEADER + 4);
  head.set([packet.op === 'request' ? 1 : 2, 1, 6, 0]);
  head.writeUInt32BE(packet.xid, 4);
  head.writeUInt16BE(packet.secs, 8);
  head.writeUInt16BE(packet.broadcast ? 0x8000 : 0, 10);
  head.set(octets(packet.ciaddr), 12);
  head.set(octets(packet.yiaddr), 16);
  head.set(octets(packet.siaddr), 20);
  head.set(octets(packet.giaddr), 24);
  head.set(Buffer.from(packet.chaddr.replaceAll(':', ''), 'hex').subarray(0, 6), 28);
  writeText(head, packet.sname, 44, 64);
  writeText(head, packet.file, 108, 128);
  COOKIE.copy(head, HEADER);
  const parts: Buffer[] = [head];
  for (const [code, value] of packet.options) {
    // An empty option is one with length 0; a long one is split (RFC 3396).
    for (let at = 0; at === 0 || at < value.length; at += 255) {
      const part = value.subarray(at, at + 255);
      parts.push(Buffer.from([code, part.length]), part);
    }
  }
  parts.push(Buffer.from([255]));
  const bytes = Buffer.concat(parts);
  return bytes.length >= SMALLEST ? bytes : Buffer.concat([bytes, Buffer.alloc(SMALLEST - bytes.length)]);
}

export function messageTypeOf(packet: DhcpPacket): number | null {
  const value = packet.options.get(OPTION.messageType);
  return value?.length === 1 ? (value[0] ?? null) : null;
}

/** Null unless the option is there and four bytes long. */
export function addressOption(packet: DhcpPacket, code: number): string | null {
  const value = packet.options.get(code);
  return value?.length === 4 ? addressAt(value, 0) : null;
}

/** A DISCOVER as a firmware would send it, to be answered by broadcast. `mac` lower case with colons. */
export function discoverOf(mac: string, xid: number, more: readonly (readonly [number, Buffer])[] = []): DhcpPacket {
  return {
    op: 'request',
    xid,
    secs: 0,
    broadcast: true,
    ciaddr: NOWHERE,
    yiaddr: NOWHERE,
    siaddr: NOWHERE,
    giaddr: NOWHERE,
    chaddr: mac,
    sname: '',
    file: '',
    options: new Map([[OPTION.messageType, Buffer.from([MESSAGE.discover])], ...more]),
  };
}

const addressAt = (bytes: Buffer, at: number) => [...bytes.subarray(at, at + 4)].join('.');
export const octets = (address: string): number[] => address.split('.').map(Number);
const zeroEnded = (bytes: Buffer) => bytes.toString('latin1').split('\0')[0] ?? '';

function writeText(head: Buffer, text: string, at: number, size: number): void {
  // One byte stays zero: some ROMs read a string.
  if (Buffer.byteLength(text, 'latin1') >= size) throw new RangeError(`longer than ${size - 1} bytes: ${text}`);
  head.write(text, at, 'latin1');
}
