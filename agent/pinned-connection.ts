import { createHash, timingSafeEqual } from 'node:crypto';
import { Agent } from 'node:https';
import { connect } from 'node:tls';

/**
 * Connections to the rack, kept open between requests. The certificate is self-signed and this machine's clock may be wrong,
 * so neither chain nor dates are looked at: only the SHA-256 of the DER certificate counts, before any byte is sent.
 */
export function pinnedAgent(pin: string): Agent {
  const wanted = Buffer.from(pin, 'hex');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const create = (
    options: { host?: string; port?: number | string },
    done: (error: Error | null, socket?: unknown) => void,
  ) => {
    const socket = connect({
      host: options.host ?? '',
      port: Number(options.port),
      rejectUnauthorized: false,
      // No authority is asked, and reading the usual ones takes a slow core a second.
      ca: [],
      ALPNProtocols: ['http/1.1'],
      timeout: 20_000,
    });
    const fail = (error: Error) => {
      socket.destroy();
      done(error);
    };
    socket.once('error', fail);
    socket.once('timeout', () => fail(new Error('no TLS answer in 20 s')));
    socket.once('secureConnect', () => {
      const sum = createHash('sha256').update(socket.getPeerCertificate().raw).digest();
      if (!timingSafeEqual(sum, wanted)) {
        return fail(new Error(`the rack shows another certificate (${sum.toString('hex')}) than it promised at boot`));
      }
      socket.removeListener('error', fail);
      socket.removeAllListeners('timeout');
      socket.setTimeout(0);
      done(null, socket);
    });
  };
  // Node's types leave createConnection out; the http module documents it as the hook for this purpose.
  return Object.assign(agent, { createConnection: create });
}
