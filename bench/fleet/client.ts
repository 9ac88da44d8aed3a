import { randomBytes } from 'node:crypto';
import http from 'node:http';

/** OAuth 1.0 PLAINTEXT, as MAAS's clients sign. `key` is `consumer:token:secret`. */
export function oauthHeader(key: string): string {
  const [consumer = '', token = '', secret = ''] = key.split(':');
  return (
    `OAuth oauth_version="1.0", oauth_signature_method="PLAINTEXT", oauth_consumer_key="${consumer}", ` +
    `oauth_token="${token}", oauth_signature="%26${secret}", oauth_nonce="${randomBytes(8).toString('hex')}", ` +
    `oauth_timestamp="${Math.floor(Date.now() / 1000)}"`
  );
}

export interface Answer {
  status: number;
  /** Bytes of the body. */
  size: number;
  /** The first `keep` bytes of the body. */
  head: string;
  /** Milliseconds from sending to the first byte of the body, and to the last. */
  firstByteMs: number;
  ms: number;
}

export interface Call {
  port: number;
  key: string;
  method?: 'GET' | 'POST';
  path: string;
  form?: Record<string, string>;
  agent?: http.Agent;
  /** Bytes of the body to keep; default 1,000. */
  keep?: number;
}

/** One signed request; the body is counted and dropped, as a floor that only moves bytes would do. */
export async function ask(call: Call): Promise<Answer> {
  const body = call.form === undefined ? undefined : new URLSearchParams(call.form).toString();
  const keep = call.keep ?? 1000;
  const started = performance.now();
  return await new Promise((resolve, reject) => {
    const request = http.request({
      host: '127.0.0.1',
      port: call.port,
      method: call.method ?? 'GET',
      path: call.path,
      agent: call.agent,
      timeout: 120_000,
      headers: {
        authorization: oauthHeader(call.key),
        ...(body === undefined
          ? {}
          : { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }),
      },
    });
    request.once('error', reject);
    request.once('timeout', () => request.destroy(new Error(`no answer to ${call.path} within two minutes`)));
    request.once('response', (response) => {
      let size = 0;
      let head = '';
      let firstByteMs = 0;
      response.on('data', (chunk: Buffer) => {
        if (size === 0) firstByteMs = performance.now() - started;
        if (size < keep) head += chunk.subarray(0, keep - size).toString('latin1');
        size += chunk.length;
      });
      response.once('error', reject);
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, size, head, firstByteMs, ms: performance.now() - started }),
      );
    });
    request.end(body);
  });
}
