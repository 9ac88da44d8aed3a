import type { RegionDeps } from '../../deps.ts';
import { json, jsonText, type Reply } from '../table.ts';
import { freshen, storedBody } from './stored.ts';
import { streamBodies } from './stream.ts';

/** The machines with these ids (in id order) as a JSON list, streamed. */
export async function listMachines(deps: RegionDeps, ids: readonly number[]): Promise<Reply> {
  if (ids.length === 0) return json([]);
  await freshen(deps.db, ids);
  return jsonText(streamBodies(deps.pool, ids));
}

/** One machine's body, current as of now. The caller has found the machine already. */
export async function oneMachine(deps: RegionDeps, machineId: number): Promise<Reply> {
  const body = await storedBody(deps.db, machineId);
  // Deleted between being found and read: a dynamic machine after its release. Upstream answers JSON null for nothing.
  return body === null ? json(null) : jsonText(body);
}
