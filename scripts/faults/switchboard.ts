import net from 'node:net';

/** A unix socket that leads to the first of several others that answers, as an address of several region processes does. */
export interface Switchboard {
  path: string;
  /** The cable is pulled: open connections end, new ones are refused. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function openSwitchboard(path: string, targets: readonly string[]): Promise<Switchboard> {
  const open = new Set<net.Socket>();
  let isCut = false;

  function track(socket: net.Socket): void {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  }

  /** Null when nobody answers. */
  async function reach(): Promise<net.Socket | null> {
    for (const target of targets) {
      const reached = await new Promise<net.Socket | null>((resolve) => {
        const socket = net.connect(target);
        socket.once('connect', () => resolve(socket));
        socket.once('error', () => resolve(null));
      });
      if (reached) return reached;
    }
    return null;
  }

  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (client) => {
    track(client);
    client.on('error', () => client.destroy());
    if (isCut) return void client.destroy();
    void reach().then((target) => {
      if (target === null || isCut || client.destroyed) {
        target?.destroy();
        client.destroy();
        return;
      }
      track(target);
      target.on('error', () => client.destroy());
      target.on('close', () => client.destroy());
      client.on('close', () => target.destroy());
      client.pipe(target);
      target.pipe(client);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });

  const dropAll = () => {
    for (const socket of open) socket.destroy();
  };
  return {
    path,
    cut: () => {
      isCut = true;
      dropAll();
    },
    mend: () => {
      isCut = false;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        dropAll();
      }),
  };
}
