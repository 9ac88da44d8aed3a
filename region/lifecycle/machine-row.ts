import { type AttemptKind, FIXED_PHASES, type Phase, type PowerState } from '@ingot/core/machine/model.ts';
import { STATUS_NUMBERS, type Status } from '@ingot/core/machine/status.ts';
import * as z from 'zod';

/** Text columns that hold words of the model; another word there is a bug or a tampered row, and is not acted upon. */
const statusNames = Object.keys(STATUS_NUMBERS) as [Status, ...Status[]];
const kinds = ['enlist', 'commission', 'test', 'deploy', 'release', 'erase', 'rescue', 'exit-rescue'] as const;
kinds satisfies readonly AttemptKind[];

const PhaseName = z.custom<Phase>(
  (value) =>
    typeof value === 'string' && (FIXED_PHASES.some((phase) => phase === value) || /^(script|step):./.test(value)),
  'not a phase',
);

const PowerStateName = z.enum(['on', 'off', 'unknown', 'error']) satisfies z.ZodType<PowerState>;

/** Shapes of the model's words and JSON columns, for reading a machine's and an attempt's row. */
export const Column = {
  status: z.enum(statusNames),
  powerState: PowerStateName,
  powerWant: z.enum(['on', 'off', 'cycle']).nullable(),
  bootTarget: z.enum(['ephemeral', 'local', 'poweroff']),
  erase: z.object({ enabled: z.boolean(), secure: z.boolean(), quick: z.boolean() }),
  attemptKind: z.enum(kinds),
  outcome: z.enum(['passed', 'failed', 'aborted']).nullable(),
  phase: PhaseName,
  failure: z
    .object({ code: z.string(), message: z.string(), evidence: z.string().nullable(), fix: z.string() })
    .nullable(),
  lastEvidence: z.object({ kind: z.string(), text: z.string(), at: z.number() }).nullable(),
} as const;
