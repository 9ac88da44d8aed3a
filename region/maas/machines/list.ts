import type { RegionDeps } from '../../deps.ts';
import { json, jsonText, type Reply, type UserCall } from '../table.ts';
import { findWithBody } from './find.ts';
import { storedBody } from './stored.ts';
import { streamBodies } from './stream.ts';

/** The machines with these ids (in id order) as a JSON list, streamed. Every change committed before the call is in it. */
export async function listMachines(deps: RegionDeps, ids: readonly number[]): Promise<Reply> {
  if (ids.length === 0) return json([]);
  return jsonText(await streamBodies(deps, ids));
}

/** One machine's body, current as of now. The caller has found the machine already. */
export async function oneMachine(deps: RegionDeps, machineId: number): Promise<Reply> {
  const body = await storedBody(deps.db, machineId);
  // Deleted between being found and read: a dynamic machine after its release. Upstream answers JSON null for nothing.
  return body === null ? json(null) : jsonText(body);
}

/** Finds the machine of a path and gives its body: one query while nothing changed since its last reading. */
export async function readMachineBody(call: UserCall, systemId: string): Promise<Reply> {
  const { id, body } = await findWithBody(call.deps.db, call.user, systemId);
  return body === null ? await oneMachine(call.deps, id) : jsonText(body);
}
