import type { DomainEvent } from '@ingot/core/machine/model.ts';
import { RESULT_STATUS } from '../lifecycle/result-status.ts';
import type { AgentMachine } from './machine-rows.ts';

const STATUS_WORD: Record<number, string> = {
  [RESULT_STATUS.pending]: 'Pending',
  [RESULT_STATUS.running]: 'Running',
  [RESULT_STATUS.passed]: 'Passed',
  [RESULT_STATUS.failed]: 'Failed',
  [RESULT_STATUS.timedout]: 'Timed out',
  [RESULT_STATUS.aborted]: 'Aborted',
  [RESULT_STATUS.degraded]: 'Degraded',
  [RESULT_STATUS.skipped]: 'Skipped',
};

/** What its events tell of a script's result. */
export interface ToldResult {
  name: string;
  /** Kernel name of the disk it is for. */
  disk: string | null;
  /** Before the change. */
  status: number;
}

/** The script's name, with its disk. */
export function title(result: Pick<ToldResult, 'name' | 'disk'>): string {
  return result.disk === null ? result.name : `${result.name} on ${result.disk}`;
}

/** Events of a result that changes to `status`. */
export function statusEvents(machine: AgentMachine, result: ToldResult, status: number): DomainEvent[] {
  if (status === result.status) return [];
  const name = title(result);
  const word = STATUS_WORD[status] ?? 'Unknown';
  if (status === RESULT_STATUS.running && machine.status === 'TESTING') {
    return [{ type: 'RUNNING_TEST', level: 'INFO', description: name }];
  }
  if (status === RESULT_STATUS.failed || status === RESULT_STATUS.timedout) {
    return [{ type: 'SCRIPT_DID_NOT_COMPLETE', level: 'INFO', description: `${name} ${word.toLowerCase()}` }];
  }
  const before = STATUS_WORD[result.status] ?? 'Unknown';
  const description = `${name} changed status from '${before}' to '${word}'`;
  return [{ type: 'SCRIPT_RESULT_CHANGED_STATUS', level: 'DEBUG', description }];
}
