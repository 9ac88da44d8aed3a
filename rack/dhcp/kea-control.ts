import { connect } from 'node:net';
import * as z from 'zod';

/** Kea's control channel (Kea ARM, chapter 18): one JSON command a connection over a unix socket. */

const Answer = z.object({ result: z.number(), text: z.string().optional(), arguments: z.unknown().optional() });
export type KeaAnswer = z.infer<typeof Answer>;

const ANSWER_LIMIT = 16 * 1024 * 1024;

/** `result` 0 = done, 1 = refused with `text`, 3 = nothing found. Rejects when Kea does not answer in time. */
export function keaCommand(socketPath: string, command: string, args: unknown, deadlineMs: number): Promise<KeaAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(
      () => socket.destroy(new Error(`Kea did not answer ${command} in ${deadlineMs} ms`)),
      deadlineMs,
    );
    socket.on('connect', () =>
      socket.write(JSON.stringify(args === undefined ? { command } : { command, arguments: args })),
    );
    socket.on('data', (chunk) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > ANSWER_LIMIT) socket.destroy(new Error(`Kea's answer to ${command} is too long`));
    });
    socket.on('end', () => {
      try {
        resolve(Answer.parse(JSON.parse(Buffer.concat(chunks).toString('utf8'))));
      } catch (error) {
        reject(
          new Error(`Kea's answer to ${command} cannot be read: ${error instanceof Error ? error.message : error}`),
        );
      }
    });
    socket.on('error', reject);
    socket.on('close', () => clearTimeout(timer));
  });
}

/** A global counter such as pkt4-received. */
export async function keaCounter(socketPath: string, name: string, deadlineMs: number): Promise<number> {
  const answer = await keaCommand(socketPath, 'statistic-get', { name }, deadlineMs);
  const Samples = z.record(z.string(), z.array(z.tuple([z.number(), z.string()])));
  const newest = Samples.safeParse(answer.arguments).data?.[name]?.[0];
  return newest?.[0] ?? 0;
}
