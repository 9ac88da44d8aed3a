// A host that means ill, run inside a namespace: node dhcp-hostile.mjs MODE SEED …
//   requests SEED COUNT SERVER   COUNT packets that are nearly, or not at all, those of a PXE client, to 255.255.255.255:67 and to
//                                SERVER:4011; prints {answers, strange}: how many came back, and of these how many that are no DHCP reply
//   offers SEED                  answers every DISCOVER with fifty packets that are nearly, or not at all, an OFFER
import { createSocket } from 'node:dgram';

const [mode, seed, count, server] = process.argv.slice(2);
let state = Number(seed) >>> 0;
/** 0 ≤ x < 1; mulberry32, so that a seed gives the same packets. */
function next() {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
}
const below = (limit) => Math.floor(next() * limit);
const noise = (length) => Buffer.from(Array.from({ length }, () => below(256)));
const pick = (choices) => choices[below(choices.length)];

const COOKIE = [0x63, 0x82, 0x53, 0x63];
function packet(op, xid, options) {
  const head = Buffer.alloc(240);
  head.set([op, 1, 6, 0]);
  head.set(xid, 4);
  head.writeUInt16BE(0x8000, 10);
  head.set([2, 0, 0, 0x66, below(256), below(256)], 28);
  head.set(COOKIE, 236);
  return Buffer.concat([head, ...options.map(([code, value]) => Buffer.from([code, value.length, ...value])), Buffer.from([255])]);
}
const text = (value) => Buffer.from(value, 'latin1');

function request() {
  const type = Buffer.from([pick([1, 3, 8, 0, 255])]);
  const client = [[53, type], [60, text('PXEClient:Arch:00007')], [93, Buffer.from([0, 7])]];
  return pick([
    () => noise(below(600)),
    () => Buffer.alloc(0),
    () => packet(1, noise(4), client).subarray(0, below(280)),
    // One byte fell over, anywhere.
    () => { const bytes = packet(1, noise(4), client); bytes[below(bytes.length)] = below(256); return bytes; },
    // An option that says it is longer than all that is left.
    () => Buffer.concat([packet(1, noise(4), client).subarray(0, -1), Buffer.from([below(255), 255, 1])]),
    // Options in file and sname, which say so again.
    () => { const bytes = packet(1, noise(4), [[52, Buffer.from([3])], ...client]); bytes.set([52, 1, 3, 53, 200], 108); bytes.set([52, 1, 3, 255], 44); return bytes; },
    // Of the wrong length, each of those that are read.
    () => packet(1, noise(4), [[53, noise(below(4))], [60, text('PXEClient')], [93, noise(below(4))], [97, noise(below(255))], [77, noise(below(255))], [54, noise(below(9))]]),
    // As many options as fit, all the same one; and more than any frame holds.
    () => packet(1, noise(4), Array.from({ length: 4000 }, () => [97, Buffer.alloc(0)])),
    () => Buffer.concat([packet(1, noise(4), client), noise(20_000)]),
    () => Buffer.alloc(60_000, 97),
    // Too large an answer would be needed to give all of this back.
    () => packet(1, noise(4), [...client, ...Array.from({ length: 30 }, () => [97, Buffer.alloc(255, 7)])]),
    () => { const bytes = packet(1, noise(4), client); bytes.set([10, 80, 0, 77], 24); return bytes; },
    () => packet(2, noise(4), client),
  ])();
}

/** None of them offers an address to who asked. */
function notAnOffer(xid) {
  const offer = [[53, Buffer.from([2])], [54, Buffer.from([10, 82, 0, 9])], [51, Buffer.from([0, 0, 1, 0])]];
  const withAddress = (bytes) => { bytes.set([10, 82, 0, 250], 16); return bytes; };
  return pick([
    () => noise(below(600)),
    () => withAddress(packet(2, xid, offer)).subarray(0, 20 + below(215)),
    () => withAddress(packet(2, noise(4), offer)),
    () => withAddress(packet(1, xid, offer)),
    () => packet(2, xid, offer),
    () => withAddress(packet(2, xid, [[53, Buffer.from([pick([0, 5, 6, 255])])], ...offer.slice(1)])),
    () => withAddress(packet(2, xid, [[53, Buffer.from([2, 2])], ...offer.slice(1)])),
    () => withAddress(packet(2, xid, offer.slice(1))),
    () => Buffer.concat([withAddress(packet(2, xid, offer)).subarray(0, -1), Buffer.from([60, 255])]),
    () => Buffer.concat([withAddress(packet(2, xid, offer)), Buffer.alloc(10_000)]),
    () => { const bytes = withAddress(packet(2, xid, offer)); bytes[236] = 0; return bytes; },
  ])();
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const socket = createSocket({ type: 'udp4', reuseAddr: true });
socket.on('error', () => undefined);

if (mode === 'requests') {
  let answers = 0;
  let strange = 0;
  const isReply = (bytes) => bytes.length >= 300 && bytes.length <= 9216 && bytes[0] === 2 && bytes.subarray(236, 240).equals(Buffer.from(COOKIE));
  socket.on('message', (bytes) => {
    answers += 1;
    if (!isReply(bytes)) strange += 1;
  });
  socket.bind(68, async () => {
    socket.setBroadcast(true);
    for (let sent = 0; sent < Number(count); sent += 1) {
      socket.send(request(), 67, '255.255.255.255', () => undefined);
      socket.send(request(), 4011, server, () => undefined);
      // What the kernel has no room for would only be lost.
      if (sent % 20 === 0) await wait(5);
    }
    await wait(500);
    console.log(JSON.stringify({ answers, strange }));
    process.exit(0);
  });
} else {
  socket.on('message', (asked) => {
    for (let sent = 0; sent < 50; sent += 1) socket.send(notAnOffer(asked.subarray(4, 8)), 68, '255.255.255.255', () => undefined);
  });
  socket.bind(67, () => socket.setBroadcast(true));
}
