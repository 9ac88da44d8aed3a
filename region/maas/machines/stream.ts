import { Readable } from 'node:stream';
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';

/** PostgreSQL's binary COPY: an 11-byte signature, flags and header extension length (both int32). */
const HEADER_BYTES = 19;
/** A COPY waits for its reader; the pool's usual limit would cut a long list on a slow line. */
const LONGEST_MS = 120_000;
const SEPARATOR = Buffer.from(',\n');

/**
 * The JSON list of stored bodies, streamed from PostgreSQL to the socket without being parsed or escaped. `ids` in the
 * order of the answer; they must be current (see freshen). The connection goes back to the pool at the end; when the
 * reader goes away early it is closed instead, since a COPY cannot be abandoned politely.
 */
export function streamBodies(pool: pg.Pool, ids: readonly number[]): Readable {
  if (ids.length === 0) return Readable.from([Buffer.from('[]')]);
  return Readable.from(listChunks(pool, ids), { objectMode: false });
}

async function* listChunks(pool: pg.Pool, ids: readonly number[]): AsyncGenerator<Buffer> {
  const client = await pool.connect();
  let finished = false;
  try {
    await client.query('BEGIN READ ONLY');
    await client.query(`SET LOCAL statement_timeout = ${LONGEST_MS}`);
    // COPY takes no parameters; the ids are integers of ours.
    const list = ids.map((id) => Math.trunc(id)).join(',');
    const source = client.query(
      copyTo(
        `COPY (SELECT b.body FROM machine_bodies b WHERE b.machine_id IN (${list}) ORDER BY b.machine_id) TO STDOUT (FORMAT binary)`,
      ),
    );
    yield Buffer.from('[\n');
    let first = true;
    for await (const body of tuples(source)) {
      if (!first) yield SEPARATOR;
      first = false;
      yield body;
    }
    await client.query('COMMIT');
    finished = true;
    yield Buffer.from('\n]');
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
