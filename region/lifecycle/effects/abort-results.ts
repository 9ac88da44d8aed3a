import { RESULT_STATUS, SET_COLUMN, type SetKind, UNFINISHED } from '../result-status.ts';
import type { EffectContext } from './context.ts';

/** Ends what is still pending or running in the machine's current sets of these kinds. */
export async function abortResults(
  { trx, machineId }: EffectContext,
  kinds: readonly SetKind[],
  status: 'aborted' | 'failed' | 'timedout',
): Promise<void> {
  const columns = kinds.map((kind) => SET_COLUMN[kind]);
  if (columns.length === 0) return;
  const row = await trx.selectFrom('machines').select(columns).where('id', '=', machineId).executeTakeFirstOrThrow();
  const sets = Object.values(row).filter((id): id is number => typeof id === 'number');
  if (sets.length === 0) return;
  await trx
    .updateTable('script_results')
    .set({ status: RESULT_STATUS[status], ended: new Date(), updated: new Date() })
    .where('set_id', 'in', sets)
    .where('status', 'in', [...UNFINISHED])
    .execute();
}
