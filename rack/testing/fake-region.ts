import { createServer, type Server } from 'node:http';
import { type Evidence, type Snapshot, type ToRack, ToRegion } from '@ingot/contract/rack.ts';
import { WebSocketServer } from 'ws';

/** The region's side of the link, as small as it can be: gives every rack the same snapshot and keeps what it says. */
export function startFakeRegion(socketPath: string, snapshot: Snapshot, blobs: ReadonlyMap<string, Buffer>) {
  const heard: ToRegion[] = [];
  const evidence: Evidence[] = [];
  let say: (message: ToRack) => void = () => undefined;
  const server: Server = createServer((incoming, response) => {
    const blob = blobs.get(incoming.url?.replace('/rack/v1/blobs/', '') ?? '');
    if (blob) response.writeHead(200, { 'content-length': blob.length }).end(blob);
    else if (incoming.url?.startsWith('/agent/')) response.writeHead(200).end(`mac ${incoming.headers['x-ingot-mac']}`);
    else response.writeHead(404).end('no');
  });
  const sockets = new WebSocketServer({ server, path: '/rack/v1/link' });
  sockets.on('connection', (socket) => {
    say = (message) => socket.send(JSON.stringify(message));
    socket.on('message', (data) => {
      const message = ToRegion.parse(JSON.parse(data.toString()));
      heard.push(message);
      if (message.type === 'evidence') evidence.push(...message.items);
      if (message.type !== 'hello') return;
      say({ type: 'welcome', protocol: 1, epoch: 1 });
      say({ type: 'snapshot', snapshot });
    });
  });
  const listening = new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const stop = () =>
    new Promise<void>((resolve) => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const of = <T extends ToRegion['type']>(type: T) =>
    heard.filter((each): each is Extract<ToRegion, { type: T }> => each.type === type);
  return { listening, stop, of, evidence, say: (message: ToRack) => say(message) };
}
