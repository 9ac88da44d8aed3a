// A host that means ill, run inside a namespace: node dhcp-hostile.mjs MODE SEED …
//   requests SEED COUNT SERVER   COUNT packets that are nearly, or not at all, those of a PXE client, to 255.255.255.255:67 and to
//                                SERVER:4011; prints {answers, wrong}: to how many SERVER answered on either port, {67, 4011}, and what is
//                                wrong with its answers, one line each
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

/** What to send to a port, and whether an answer would be wrong whatever it says. */
function request(port) {
  const type = pick([1, 3, 8, 0, 255]);
  const client = [[53, Buffer.from([type])], [60, text('PXEClient:Arch:00007')], [93, Buffer.from([0, 7])]];
  const whole = () => packet(1, noise(4), client);
  const typed = !(port === 67 ? [1] : [3, 8]).includes(type);
  return pick([
    () => [noise(below(600)), true],
    () => [Buffer.alloc(0), true],
    // Cut between two options it is whole enough.
    () => [whole().subarray(0, below(280)), typed],
    () => [whole().subarray(0, below(243)), true],
    // One byte fell over, anywhere.
    () => { const bytes = whole(); bytes[below(bytes.length)] = below(256); return [bytes, false]; },
    // An option that says it is longer than all that is left.
    () => [Buffer.concat([whole().subarray(0, -1), Buffer.from([1 + below(254), 255, 1])]), true],
    // Options in file and sname, which say so again.
    () => { const bytes = packet(1, noise(4), [[52, Buffer.from([3])], ...client]); bytes.set([52, 1, 3, 53, 200], 108); bytes.set([52, 1, 3, 255], 44); return [bytes, true]; },
    // Of the wrong length, each of those that are read.
    () => [packet(1, noise(4), [[53, noise(below(4))], [60, text('PXEClient')], [93, noise(below(4))], [97, noise(below(255))], [77, noise(below(255))], [54, noise(below(9))]]), false],
    // As many options as fit, all the same one; and more than any frame holds.
    () => [packet(1, noise(4), Array.from({ length: 4000 }, () => [97, Buffer.alloc(0)])), true],
    () => [Buffer.concat([whole(), noise(20_000)]), true],
    () => [Buffer.alloc(60_000, 97), true],
    // The most that UDP carries.
    () => [Buffer.concat([whole(), Buffer.alloc(65_507 - whole().length)]), true],
    // Too large an answer would be needed to give all of this back.
    () => [packet(1, noise(4), [...client, ...Array.from({ length: 30 }, () => [97, Buffer.alloc(255, 7)])]), typed],
    // By a relay, though it comes from a neighbour.
    () => { const bytes = whole(); bytes.set([10, 80, 0, 77], 24); return [bytes, true]; },
    () => [packet(2, noise(4), client), true],
    () => [whole(), typed],
  ])();
}

/** What is wrong with an answer to what was sent, empty when nothing is. */
function wrongIn(answer, asked) {
  if (asked === undefined) return 'to nobody';
  if (asked.never) return `to what has none: ${asked.bytes.subarray(0, 300).toString('hex')}`;
  if (asked.answers > 1) return 'given twice';
  if (answer.length < 300 || answer.length > 9216) return `of ${answer.length} bytes`;
  if (answer[0] !== 2 || !answer.subarray(236, 240).equals(Buffer.from(COOKIE))) return 'no DHCP reply';
  if (!answer.subarray(28, 34).equals(asked.bytes.subarray(28, 34))) return 'for another card';
  if (!answer.subarray(16, 20).equals(Buffer.alloc(4))) return 'with an address';
  if (answer.subarray(20, 24).join('.') !== server) return 'with another server';
  const file = answer.subarray(108, 236).toString('latin1').split('\0')[0];
  if (file !== 'snponly.efi' && file !== 'undionly.kpxe') return `with file ${file}`;
  const type = answer.subarray(240, 243).join(' ');
  return type === (asked.port === 67 ? '53 1 2' : '53 1 5') ? '' : `on ${asked.port} with ${type}`;
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
  const sent = new Map();
  const answers = { 67: 0, 4011: 0 };
  const wrong = [];
  socket.on('message', (bytes, from) => {
    // The site's own server answers too.
    if (from.address !== server) return;
    const asked = sent.get(bytes.toString('hex', 4, 8));
    if (asked) {
      asked.answers += 1;
      answers[asked.port] += 1;
    }
    const why = wrongIn(bytes, asked);
    if (why !== '') wrong.push(why);
  });
  const send = (port, address) => {
    const [bytes, never] = request(port);
    sent.set(bytes.toString('hex', 4, 8), { bytes, never, port, answers: 0 });
    socket.send(bytes, port, address, () => undefined);
  };
  socket.bind(68, async () => {
    socket.setBroadcast(true);
    for (let turn = 0; turn < Number(count); turn += 1) {
      send(67, '255.255.255.255');
      send(4011, server);
      // What the kernel has no room for would only be lost.
      if (turn % 20 === 0) await wait(5);
    }
    await wait(500);
    console.log(JSON.stringify({ answers, wrong: wrong.slice(0, 10) }));
    process.exit(0);
  });
} else {
  socket.on('message', (asked) => {
    for (let sent = 0; sent < 50; sent += 1) socket.send(notAnOffer(asked.subarray(4, 8)), 68, '255.255.255.255', () => undefined);
  });
  socket.bind(67, () => socket.setBroadcast(true));
}
