import { describe, expect, test } from 'vitest';
import { decide } from './decide.ts';
import { openAttemptOf } from './draft.ts';
import { explain } from './explain.ts';
import { ADMIN, AGENT, context, machineIn, NOW, SYSTEM } from './fixture.ts';
import type { Command, MachineState } from './model.ts';
import { STATUSES } from './status.ts';

/** What a good BMC and a good agent answer to what is wanted now; null when they have nothing to say. */
function goodAnswer(machine: MachineState): Command | null {
  const open = openAttemptOf(machine);
  if (machine.powerWant !== null) {
    const state = machine.powerWant === 'off' ? 'off' : 'on';
    const { generation } = machine;
    return {
      type: 'power-result',
      actor: SYSTEM,
      attemptId: open?.id ?? null,
      generation,
      outcome: { ok: true, state },
    };
  }
  if (open === null) return null;
  if (machine.status === 'DEPLOYING' && !machine.netboot) return { type: 'instance-user-data', actor: AGENT };
  if (machine.status === 'DEPLOYED') return { type: 'instance-finished', actor: AGENT, ok: true, description: '' };
  return { type: 'agent-done', actor: AGENT, attemptId: open.id, outcome: 'ok' };
}

function apply(machine: MachineState, command: Command, step: number): MachineState {
  const decision = decide(machine, command, context({ now: NOW + step * 1000, attemptId: 100 + step }));
  expect(decision.ok, `${command.type} in ${machine.status}`).toBe(true);
  return decision.ok ? decision.machine : machine;
}

/** One thing a person would do next towards Ready, asking what is offered. */
const ORDER = [
  'unlock',
  'release',
  'exit-rescue',
  'override-failed-testing',
  'mark-fixed',
  'commission',
  'mark-broken',
] as const;

function backToReady(first: MachineState): { machine: MachineState; asked: string[] } {
  let machine = first;
  const asked: string[] = [];
  for (let step = 0; step < 20; step += 1) {
    const answer = goodAnswer(machine);
    if (answer !== null) {
      machine = apply(machine, answer, step);
      continue;
    }
    if (machine.status === 'READY' && !machine.locked) break;
    const offered = ORDER.find((action) => explain(machine, action, ADMIN).allowed);
    if (offered === undefined) break;
    asked.push(offered);
    machine = apply(machine, { type: offered, actor: ADMIN }, step);
  }
  return { machine, asked };
}

describe('from every status an administrator gets a healthy machine back to Ready', () => {
  test.each(STATUSES)('%s, in at most three commands', (status) => {
    for (const previousStatus of STATUSES.filter((one) => !one.endsWith('ING') && !one.includes('RESCUE_MODE'))) {
      const rescued = status.includes('RESCUE_MODE') || status === 'TESTING';
      const machine = machineIn(status, rescued ? { previousStatus } : {});
      const { machine: after, asked } = backToReady(machine);
      expect([status, previousStatus, after.status]).toEqual([status, previousStatus, 'READY']);
      expect(asked.length, asked.join()).toBeLessThanOrEqual(3);
      expect(after).toMatchObject({ owner: null, osystem: '', powerWant: null, waitingFor: null });
    }
  });

  test('a locked deployed one too', () => {
    const { machine, asked } = backToReady(machineIn('DEPLOYED', { locked: true }));
    expect(machine.status).toBe('READY');
    expect(asked).toEqual(['unlock', 'release']);
  });
});
