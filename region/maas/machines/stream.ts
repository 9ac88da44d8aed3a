import { Readable } from 'node:stream';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import type { RegionDeps } from '../../deps.ts';
import { freshen } from './stored.ts';

/** PostgreSQL's binary COPY: an 11-byte signature, flags and header extension length (both int32). */
const HEADER_BYTES = 19;
/** A COPY waits for its reader; the pool's usual limit would cut a list on a slow line. */
const LONGEST_MS = 120_000;
const SEPARATOR = Buffer.from(',\n');
/** Machines of the first part: few, so that the first byte is there at once even when all of them are stale. */
const FIRST = 10;
/** Machines of each further part. Between parts the connection is free for others, and no snapshot is held. */
const PART = 200;

type Deps = Pick<RegionDeps, 'db' | 'pool'>;

/**
 * The JSON list of the machines' bodies, streamed from PostgreSQL to the socket without being parsed or escaped. `ids`
 * in the order of the answer; part by part they are brought up to date and copied, so memory is bounded whatever the
 * length. Fails before the first byte when the first part cannot be rendered; later the answer breaks off.
 */
export async function streamBodies(deps: Deps, ids: readonly number[]): Promise<Readable> {
  await freshen(deps.db, ids.slice(0, FIRST));
  return Readable.from(listChunks(deps, ids), { objectMode: false });
}

async function* listChunks({ db, pool }: Deps, ids: readonly number[]): AsyncGenerator<Buffer> {
  yield Buffer.from('[\n');
  let first = true;
  for (let start = 0, size = FIRST; start < ids.length; start += size, size = PART) {
    const part = ids.slice(start, start + size);
    if (start > 0) await freshen(db, part);
    for await (const body of copied(pool, part)) {
      if (!first) yield SEPARATOR;
      first = false;
      yield body;
    }
  }
  yield Buffer.from('\n]');
}

/**
 * The stored bodies of these machines. The connection goes back to the pool at the end; when the reader goes away early
 * it is closed instead, since a COPY cannot be abandoned politely.
 */
async function* copied(pool: pg.Pool, ids: readonly number[]): AsyncGenerator<Buffer> {
  const client = await pool.connect();
  let finished = false;
  try {
    await client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${LONGEST_MS}`);
    // COPY takes no parameters; the ids are integers of ours.
    const list = ids.map((id) => Math.trunc(id)).join(',');
    const source = client.query(
      copyTo(
        `COPY (SELECT b.body FROM machine_bodies b WHERE b.machine_id IN (${list}) ORDER BY b.machine_id) TO STDOUT (FORMAT binary)`,
      ),
    );
    yield* tuples(source);
    await client.query('COMMIT');
    finished = true;
  } finally {
    client.release(!finished);
  }
}

/** Splits a binary COPY of one text column into its values. A tuple is int16 field count, int32 length, bytes. */
async function* tuples(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pending: Buffer = Buffer.alloc(0);
  let headerSeen = false;
  let trailerSeen = false;
  for await (const chunk of source) {
    // Read to the end even after the trailer: the connection is only then ready for its next query.
    if (trailerSeen) continue;
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    let at = 0;
    if (!headerSeen) {
      if (pending.length < HEADER_BYTES) continue;
      headerSeen = true;
      at = HEADER_BYTES;
    }
    while (pending.length - at >= 2) {
      if (pending.readInt16BE(at) === -1) {
        trailerSeen = true;
        break;
      }
      if (pending.length - at < 6) break;
      const length = pending.readInt32BE(at + 2);
      if (pending.length - at < 6 + length) break;
      yield pending.subarray(at + 6, at + 6 + length);
      at += 6 + length;
    }
    pending = pending.subarray(at);
  }
}
