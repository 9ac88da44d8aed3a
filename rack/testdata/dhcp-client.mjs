// A minimal DHCP client for tests, run inside a namespace: node dhcp-client.mjs MODE [MAC] [OPTIONS-HEX]
//   discover-forever  a DISCOVER each 100 ms from changing MACs; prints "offer MILLISECONDS" for each OFFER heard
//   discover-once     one DISCOVER to 255.255.255.255:67, no waiting; from the address in MAC's place
//   many              as many machines as MAC's place says ask for addresses again and again; prints "ack N ADDRESS" for each ACK
//   pxe               as a PXE ROM beside a proxy: collects offers for a while, takes the one with an address, sets it on eth0,
//                     then asks the proxy on port 4011; prints {address, server, offered, acked}
//   relayed           a DISCOVER relayed to the server MAC's place names, from the relay address OPTIONS-HEX names; prints the offer
//   lease             DISCOVER, OFFER, REQUEST, ACK; prints the acknowledged packet as JSON
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';

const [mode, who = '02:00:00:00:00:01', extra = ''] = process.argv.slice(2);
const socket = createSocket({ type: 'udp4', reuseAddr: true });

function packet(type, mac, xid, options = Buffer.alloc(0)) {
  const head = Buffer.alloc(240);
  head.set([1, 1, 6, 0]);
  xid.copy(head, 4);
  head.writeUInt16BE(0x8000, 10);
  head.set(mac, 28);
  head.set([0x63, 0x82, 0x53, 0x63], 236);
  const tail = Buffer.concat([Buffer.from([53, 1, type]), options, Buffer.from([255])]);
  return Buffer.concat([head, tail, Buffer.alloc(Math.max(0, 60 - tail.length))]);
}
function optionsOf(message) {
  const out = {};
  for (let i = 240; i < message.length && message[i] !== 255; ) {
    if (message[i] === 0) { i += 1; continue; }
    out[message[i]] = message.subarray(i + 2, i + 2 + message[i + 1]);
    i += 2 + message[i + 1];
  }
  return out;
}
const zeroEnded = (bytes) => bytes.toString('latin1').split('\0')[0];
const send = (bytes) => socket.send(bytes, 67, '255.255.255.255');

if (mode === 'discover-once') {
  socket.bind(0, who, () => {
    socket.setBroadcast(true);
    socket.send(packet(1, [2, 0x49, 0x4e, 0, 0, 1], randomBytes(4)), 67, '255.255.255.255', () => socket.close());
  });
} else if (mode === 'discover-forever') {
  socket.on('message', () => console.log('offer', Date.now()));
  socket.bind(68, () => {
    socket.setBroadcast(true);
    let n = 0;
    setInterval(() => {
      n = (n + 1) % 50;
      send(packet(1, [2, 0, 0, 1, 1, n], randomBytes(4)));
    }, 100);
  });
} else if (mode === 'many') {
  const machines = Array.from({ length: Number(who) }, (_, n) => ({ n, mac: Buffer.from([2, 0, 0, 7, n >> 8, n & 255]), xid: randomBytes(4), since: 0 }));
  const ask = (one) => {
    one.xid = randomBytes(4);
    one.since = Date.now();
    send(packet(1, one.mac, one.xid));
  };
  socket.on('message', (message) => {
    const one = machines.find(({ xid }) => message.subarray(4, 8).equals(xid));
    if (!one) return;
    const got = optionsOf(message);
    if (got[53][0] === 2) send(packet(3, one.mac, one.xid, Buffer.from([50, 4, ...message.subarray(16, 20), 54, 4, ...got[54]])));
    else if (got[53][0] === 5) {
      console.log('ack', one.n, [...message.subarray(16, 20)].join('.'));
      one.since = 0;
    }
  });
  socket.bind(68, () => {
    socket.setBroadcast(true);
    // One that got its address asks anew at once; one that hears nothing, after a second.
    setInterval(() => machines.filter(({ since }) => Date.now() - since > 1000).forEach(ask), 100);
  });
} else if (mode === 'relayed') {
  const [server, relay] = [who, extra];
  const xid = randomBytes(4);
  const bytes = packet(1, [2, 0, 0, 9, 9, 9], xid, Buffer.from('3c09505845436c69656e745d020000', 'hex'));
  bytes.set([1], 3);
  bytes.set(relay.split('.').map(Number), 24);
  socket.on('message', (message) => {
    if (!message.subarray(4, 8).equals(xid)) return;
    console.log(JSON.stringify({ address: [...message.subarray(16, 20)].join('.'), next: [...message.subarray(20, 24)].join('.'), file: zeroEnded(message.subarray(108, 236)) }));
    process.exit(0);
  });
  socket.bind(67, relay, () => {
    socket.send(bytes, 67, server);
    setInterval(() => socket.send(bytes, 67, server), 1000);
  });
  setTimeout(() => { console.error('no offer in 8 s'); process.exit(1); }, 8000);
} else if (mode === 'pxe') {
  const mac = Buffer.from(who.replaceAll(':', ''), 'hex');
  const options = Buffer.from(extra, 'hex');
  const xid = randomBytes(4);
  const none = (message) => message.subarray(16, 20).every((byte) => byte === 0);
  const show = (message) => {
    const got = optionsOf(message);
    return {
      server: [...got[54]].join('.'), next: [...message.subarray(20, 24)].join('.'), file: zeroEnded(message.subarray(108, 236)),
      vendor: got[60]?.toString('latin1') ?? null,
    };
  };
  let [lease, proxy, acked] = [null, null, null];
  socket.on('message', (message) => {
    if (!message.subarray(4, 8).equals(xid)) return;
    const got = optionsOf(message);
    if (got[53][0] === 2 && none(message)) proxy ??= message;
    else if (got[53][0] === 2) lease ??= message;
    else if (got[53][0] === 5 && !none(message)) acked ??= message;
  });
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const until = async (done, ms) => { for (const end = Date.now() + ms; !done() && Date.now() < end; ) await wait(20); };
  socket.bind(68, async () => {
    socket.setBroadcast(true);
    for (let tries = 0; tries < 8 && !(lease && proxy); tries++) {
      send(packet(1, mac, xid, options));
      await until(() => lease && proxy, 1000);
    }
    if (!lease || !proxy) { console.error(`offers: address ${lease !== null}, proxy ${proxy !== null}`); process.exit(1); }
    const chosen = Buffer.concat([Buffer.from([50, 4, ...lease.subarray(16, 20), 54, 4, ...optionsOf(lease)[54]]), options]);
    send(packet(3, mac, xid, chosen));
    await until(() => acked, 4000);
    const address = [...acked.subarray(16, 20)].join('.');
    execFileSync('ip', ['addr', 'flush', 'dev', 'eth0']);
    execFileSync('ip', ['addr', 'add', `${address}/24`, 'dev', 'eth0']);
    execFileSync('ip', ['route', 'replace', '255.255.255.255/32', 'dev', 'eth0']);
    const binl = createSocket('udp4');
    const answer = new Promise((resolve) => binl.on('message', resolve));
    const ask = packet(3, mac, xid, options);
    ask.set(address.split('.').map(Number), 12);
    binl.bind(0, address, () => binl.send(ask, 4011, show(proxy).server));
    const binlAck = await Promise.race([answer, wait(3000)]);
    console.log(JSON.stringify({ address, server: show(lease).server, offered: show(proxy), acked: binlAck ? show(binlAck) : null }));
    process.exit(0);
  });
} else {
  const mac = Buffer.from(who.replaceAll(':', ''), 'hex');
  const options = Buffer.from(extra, 'hex');
  const xid = randomBytes(4);
  const started = Date.now();
  socket.on('message', (message) => {
    if (!message.subarray(4, 8).equals(xid)) return;
    const got = optionsOf(message);
    const address = [...message.subarray(16, 20)].join('.');
    if (got[53][0] === 2) {
      send(packet(3, mac, xid, Buffer.concat([Buffer.from([50, 4, ...message.subarray(16, 20), 54, 4, ...got[54]]), options])));
    } else if (got[53][0] === 5) {
      const raw = Object.fromEntries(Object.entries(got).map(([code, value]) => [code, value.toString('hex')]));
      const [next, file] = [[...message.subarray(20, 24)].join('.'), zeroEnded(message.subarray(108, 236))];
      console.log(JSON.stringify({ address, next, file: got[67] ? zeroEnded(got[67]) : file, options: raw, ms: Date.now() - started }));
      process.exit(0);
    }
  });
  socket.bind(68, () => {
    socket.setBroadcast(true);
    send(packet(1, mac, xid, options));
    setInterval(() => send(packet(1, mac, xid, options)), 1000);
  });
  setTimeout(() => { console.error('no ACK in 8 s'); process.exit(1); }, 8000);
}
