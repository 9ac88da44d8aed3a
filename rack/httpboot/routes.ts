import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { forwardRequest } from '../forward/forward-request.ts';
import { answerText } from './answer.ts';
import type { BootPlane } from './boot-plane.ts';
import { answerHead } from './ranged.ts';
import { serveBlob } from './serve-blob.ts';
import { bootScriptFor } from './serve-boot-script.ts';

export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Everything a route needs of one request. */
interface Asked {
  request: IncomingMessage;
  response: ServerResponse;
  /** Normalised path, and the same with its query. */
  path: string;
  url: string;
  query: URLSearchParams;
  address: string;
  /** Our own address that was reached. */
  host: string;
}

type EvidenceOf = 'http.read' | 'agent.forward' | null;
/** Bytes sent, and the kind of evidence that the request is; null = none of its own. */
type Served = { bytes: number; evidence: EvidenceOf };

/** :5248 for firmware, the initramfs and cloud-init. */
export function bootListener(plane: BootPlane): Listener {
  return listener(plane, async (asked) => {
    const { request, response, path, url } = asked;
    const reading = request.method === 'GET' || request.method === 'HEAD';
    if (path === '/boot.ipxe' && reading) {
      const claimedMac = asked.query.get('mac')?.slice(0, 32) ?? null;
      const leasedMac = await plane.macOf(asked.address, claimedMac);
      const { address, host } = asked;
      const script = bootScriptFor(plane, { address, host, leasedMac, claimedMac }, Date.now());
      return { bytes: answerText(response, 200, script, { 'cache-control': 'no-store' }), evidence: null };
    }
    const blob = /^\/blobs\/sha256\/(?:[0-9a-f]{2}\/)?([0-9a-f]{64})$/.exec(path);
    if (blob?.[1] && reading) {
      return { bytes: await serveBlob(plane.cache, blob[1], request, response), evidence: 'http.read' };
    }
    const file = path.split('/').length === 2 ? plane.files.find(path) : null;
    if (file && reading) {
      const part = answerHead(request, response, { etag: etagOf(file), size: file.length });
      if (part !== null) response.end(file.subarray(part.start, part.start + part.length));
      return { bytes: part?.length ?? 0, evidence: 'http.read' };
    }
    const metadata = path.startsWith('/MAAS/metadata/');
    const enlistment = path === '/MAAS/api/2.0/machines/' && request.method === 'POST';
    if (metadata || enlistment) {
      const client = await clientOf(plane, asked);
      return { bytes: await forwardRequest(plane.region, url, client, request, response), evidence: 'agent.forward' };
    }
    return { bytes: answerText(response, 404, 'not found\n'), evidence: 'http.read' };
  });
}

const etags = new WeakMap<Buffer, string>();

/** The boot programs stay the same buffers for as long as the rack runs. */
function etagOf(file: Buffer): string {
  const known = etags.get(file);
  if (known !== undefined) return known;
  const etag = `"${createHash('sha256').update(file).digest('hex')}"`;
  etags.set(file, etag);
  return etag;
}

/** :5249 for the agent. */
export function agentListener(plane: BootPlane): Listener {
  return listener(plane, async (asked) => {
    const { request, response, path, url } = asked;
    if (!path.startsWith('/agent/')) return { bytes: answerText(response, 404, 'not found\n'), evidence: null };
    const client = await clientOf(plane, asked);
    const bytes = await forwardRequest(plane.region, url, client, request, response);
    // The agent asks for its task again and again; that would bury the rest.
    return { bytes, evidence: path.endsWith('/task') ? null : 'agent.forward' };
  });
}

async function clientOf(plane: BootPlane, asked: Asked) {
  const mac = (await plane.macOf(asked.address)) ?? '';
  return { address: asked.address, mac, rackUrl: `http://${asked.host}:${plane.ports.http}` };
}

function listener(plane: BootPlane, serve: (asked: Asked) => Promise<Served>): Listener {
  return (request, response) => {
    const started = performance.now();
    void answer().catch((error: unknown) => {
      // It hung up in the middle of its question, or was cut off: nobody waits for an answer.
      if (request.errored) {
        plane.log.debug({ err: error, url: request.url }, 'a question was not finished');
        return response.destroy();
      }
      plane.log.error({ err: error, url: request.url }, 'request failed');
      if (!response.headersSent) answerText(response, 500, 'the rack failed; its log says why\n');
      else response.destroy();
    });
    async function answer(): Promise<void> {
      const asked = readAsked(request, response);
      if (asked === null) {
        answerText(response, 400, 'the request target is not a path\n');
        return;
      }
      const { bytes, evidence } = await serve(asked);
      const milliseconds = performance.now() - started;
      const { address, path } = asked;
      const status = response.statusCode;
      plane.log.debug({ address, method: request.method, path, status, bytes, ms: Math.round(milliseconds) }, 'served');
      if (evidence === null) return;
      const mac = (await plane.macOf(address)) ?? '';
      const machine = mac === '' ? null : plane.snapshot.machineOf(mac);
      plane.evidence.add({
        kind: evidence,
        mac,
        address,
        systemId: machine?.systemId ?? null,
        attempt: machine?.attempt ?? null,
        text: `${request.method} ${path} ${status} ${milliseconds.toFixed(1)} ms`,
        data: { path, status, bytes },
      });
    }
  };
}

function readAsked(request: IncomingMessage, response: ServerResponse): Asked | null {
  const target = request.url ?? '';
  if (!target.startsWith('/')) return null;
  const [rawPath = '/', rawQuery] = target.split('?', 2);
  // shim asks for /efi//grubx64.efi.
  const path = rawPath.replace(/\/{2,}/g, '/');
  if (/(^|\/)\.\.?(\/|$)/.test(path)) return null;
  const plain = (address: string | undefined) => (address ?? '').replace(/^::ffff:/, '');
  return {
    request,
    response,
    path,
    url: rawQuery === undefined ? path : `${path}?${rawQuery}`,
    query: new URLSearchParams(rawQuery ?? ''),
    address: plain(request.socket.remoteAddress),
    host: plain(request.socket.localAddress),
  };
}
