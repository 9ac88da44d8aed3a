import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isCode } from './catalogue.ts';
import { decide } from './decide.ts';
import { openAttemptOf } from './draft.ts';
import { ADMIN, AGENT, context, machineIn, NOW, OTHER, SYSTEM, TIMER, USER } from './fixture.ts';
import type { Actor, Command, MachineState, Phase, PowerErrorClass, PowerState } from './model.ts';
import { STATUS_LABELS, STATUSES, type Status } from './status.ts';
import { hasWork, mayFollow } from './transitions.ts';

/** Any command at all, also with attempt ids and generations that are long over. */
function anyCommand(): fc.Arbitrary<(machine: MachineState) => Command> {
  const person = fc.constantFrom<Actor>(ADMIN, ADMIN, ADMIN, USER, OTHER, SYSTEM);
  const asked = fc
    .record({
      type: fc.constantFrom(
        'accept' as const,
        'commission' as const,
        'test' as const,
        'abort' as const,
        'allocate' as const,
        'rescue' as const,
        'exit-rescue' as const,
        'mark-broken' as const,
        'mark-fixed' as const,
        'mark-failed' as const,
        'override-failed-testing' as const,
        'lock' as const,
        'unlock' as const,
        'power-on' as const,
        'power-off' as const,
        'enlisted' as const,
        'instance-user-data' as const,
        'deadline' as const,
      ),
      actor: person,
    })
    .map((command) => () => command as Command);
  const optioned = fc
    .record({
      actor: person,
      flag: fc.boolean(),
      image: fc.boolean(),
      kind: fc.constantFrom('commission', 'deploy', 'release'),
    })
    .map(({ actor, flag, image, kind }) => (): Command => {
      if (kind === 'commission') return { type: 'commission', actor, enableSsh: flag };
      if (kind === 'release') return { type: 'release', actor, erase: flag };
      return { type: 'deploy', actor, osystem: 'debian', distroSeries: 'bookworm', imageAvailable: image };
    });
  const late = fc.nat({ max: 4 }).map((lag) => (lag === 4 ? 1 : 0));
  const power = fc
    .record({
      late,
      ok: fc.boolean(),
      state: fc.constantFrom<PowerState>('on', 'off', 'unknown', 'error'),
      class: fc.constantFrom<PowerErrorClass>('auth', 'connection', 'action', 'fatal'),
    })
    .map(
      (answer) =>
        (machine: MachineState): Command => ({
          type: 'power-result',
          actor: SYSTEM,
          attemptId: openAttemptOf(machine)?.id ?? null,
          generation: machine.generation - answer.late,
          outcome: answer.ok ? { ok: true, state: answer.state } : { ok: false, class: answer.class, message: 'no' },
        }),
    );
  const seen = fc
    .constantFrom<PowerState>('on', 'off', 'unknown')
    .map((state) => (): Command => ({ type: 'power-observed', actor: SYSTEM, state }));
  const agent = fc
    .record({
      late,
      kind: fc.constantFrom('phase', 'session', 'done', 'installed', 'finished'),
      phase: fc.constantFrom<Phase>(
        'dhcp',
        'boot-program',
        'kernel',
        'agent',
        'script:a',
        'step:b',
        'reboot',
        'power-off',
      ),
      flag: fc.boolean(),
      testing: fc.boolean(),
    })
    .map(({ late: lag, kind, phase, flag, testing }) => (machine: MachineState): Command => {
      const attemptId = (machine.attempt?.id ?? 0) - lag;
      const actor = AGENT;
      if (kind === 'phase') return { type: 'phase', actor, attemptId, phase, evidence: { kind: 'k', text: 't' } };
      if (kind === 'session') return { type: 'agent-session', actor, attemptId };
      if (kind === 'installed') return { type: 'installed', actor, attemptId };
      if (kind === 'finished') return { type: 'instance-finished', actor, ok: flag, description: 'd' };
      return { type: 'agent-done', actor, attemptId, outcome: flag ? 'ok' : 'failed', testing };
    });
  return fc.oneof(asked, optioned, power, seen, agent);
}

const steps = fc.array(fc.tuple(anyCommand(), fc.constantFrom(0, 1_000, 61_000, 400_000, 2_000_000)), {
  maxLength: 40,
});
const start = fc.record({
  status: fc.constantFrom(...STATUSES),
  powerType: fc.constantFrom('ipmi', 'ipmi', 'manual', ''),
  powerState: fc.constantFrom<PowerState>('on', 'off', 'unknown'),
  enableSsh: fc.boolean(),
});

/** A manual machine has no want outstanding: somebody's hand is waited for. */
function starting({
  status,
  powerType,
  powerState,
  enableSsh,
}: {
  status: Status;
  powerType: string;
  powerState: PowerState;
  enableSsh: boolean;
}): MachineState {
  const machine = machineIn(status, { powerType, powerState, enableSsh });
  return powerType === 'ipmi' ? machine : { ...machine, powerWant: null, nextAt: null };
}

function workIsBounded(machine: MachineState): void {
  const open = openAttemptOf(machine);
  const firstBoot = machine.status === 'DEPLOYED' && open?.phase === 'first-boot';
  expect(open !== null, `an attempt is open exactly while there is work (${machine.status})`).toBe(
    hasWork(machine.status) || firstBoot,
  );
  if (open !== null || machine.powerWant !== null) expect(machine.waitingFor).not.toBeNull();
  // At rest, a machine may wait for more work; that ends as well.
  else expect([undefined, 'fast-track']).toContain(machine.waitingFor?.code);
  if (open !== null) {
    expect(open.deadline).not.toBeNull();
    expect(machine.waitingFor?.deadline).toBe(open.deadline);
  }
  expect(machine.powerWant === null).toBe(machine.nextAt === null);
}

/** The two roads that bypass the transition table: an abort, and a start that failed at the BMC. */
const BYPASS: Command['type'][] = ['abort', 'power-result'];

function followsTable(command: Command, description: string): void {
  if (BYPASS.includes(command.type)) return;
  const [, from, to] = /^From '(.+)' to '(.+?)'/.exec(description) ?? [];
  const find = (label: string | undefined) => STATUSES.find((status) => STATUS_LABELS[status] === label);
  const [a, b] = [find(from), find(to)];
  expect(a !== undefined && b !== undefined && mayFollow(a, b), `${command.type}: ${description}`).toBe(true);
}

test('whatever happens, work has one open attempt with a deadline and statuses follow the table', () => {
  fc.assert(
    fc.property(start, steps, (first, commands) => {
      let machine = starting(first);
      let now = NOW;
      let attemptId = 100;
      for (const [make, wait] of commands) {
        now += wait;
        attemptId += 1;
        const command = make(machine);
        // Whether an agent asks for work changes at any time.
        machine = { ...machine, facts: { ...machine.facts, agentWaiting: attemptId % 3 > 0 } };
        const before = structuredClone(machine);
        const decision = decide(machine, command, context({ now, attemptId, fastTrackMs: 600_000 * (attemptId % 2) }));
        expect(machine, 'the machine given is not changed').toEqual(before);
        if (!decision.ok) {
          expect(decision.refused.length).toBeGreaterThan(0);
          for (const { code, message, fix } of decision.refused) {
            expect([code, isCode(code)]).toEqual([code, true]);
            expect(message).toMatch(/\S/);
            expect(`${message} ${fix}`).not.toMatch(/[{}]|undefined/);
            expect(fix).toMatch(/\S/);
          }
          continue;
        }
        if (decision.note !== undefined) expect(decision.machine, `${command.type} ${decision.note}`).toEqual(before);
        for (const event of decision.events) {
          if (event.type === 'NODE_CHANGED_STATUS') followsTable(command, event.description);
        }
        workIsBounded(decision.machine);
        machine = decision.machine;
      }
    }),
    { numRuns: 400 },
  );
});

test('a late power answer changes nothing but the record of events', () => {
  fc.assert(
    fc.property(start, fc.boolean(), fc.integer({ min: 1, max: 5 }), (first, ok, lag) => {
      const machine = starting(first);
      const command: Command = {
        type: 'power-result',
        actor: SYSTEM,
        attemptId: openAttemptOf(machine)?.id ?? null,
        generation: machine.generation - lag,
        outcome: ok ? { ok: true, state: 'off' } : { ok: false, class: 'auth', message: 'no' },
      };
      const decision = decide(machine, command, context());
      expect(decision).toMatchObject({ ok: true, note: 'stale', machine, effects: [] });
      if (decision.ok) expect(decision.events).toHaveLength(1);
    }),
  );
});

test('before its deadline a wait is not ended, however often it is asked', () => {
  for (const status of STATUSES) {
    const machine = machineIn(status);
    const decision = decide(machine, { type: 'deadline', actor: TIMER }, context());
    expect(decision).toMatchObject({ ok: true, note: 'no-op', machine });
  }
});
