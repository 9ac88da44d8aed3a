import type { Attempt, Instant, Phase } from './model.ts';

const SECOND = 1000;

/**
 * How long a phase may take, ms. All are below the 30 minutes of upstream's single timer except where a step moves a
 * disk's worth of bytes: the sender of evidence may give such a phase its own limit (`limitMs`).
 */
const PHASE_LIMITS = {
  power: 300 * SECOND,
  /** Somebody has to walk to the machine. */
  'power-manual': 1740 * SECOND,
  dhcp: 180 * SECOND,
  'boot-program': 60 * SECOND,
  kernel: 180 * SECOND,
  agent: 300 * SECOND,
  /** Used only when the sender does not know the script's own timeout; else that plus 300 s. */
  script: 1500 * SECOND,
  step: 1800 * SECOND,
  reboot: 600 * SECOND,
  /** Only warns: the machine is already in its owner's hands. */
  'first-boot': 1800 * SECOND,
  'power-off': 300 * SECOND,
} as const;
export type PhaseClass = Exclude<keyof typeof PHASE_LIMITS, 'power-manual'>;

const RANK: Record<PhaseClass, number> = {
  power: 0,
  dhcp: 1,
  'boot-program': 2,
  kernel: 3,
  agent: 4,
  script: 5,
  step: 5,
  reboot: 6,
  'first-boot': 7,
  'power-off': 8,
};

export function phaseClass(phase: Phase): PhaseClass {
  if (phase.startsWith('script:')) return 'script';
  if (phase.startsWith('step:')) return 'step';
  // The two prefixes are gone, so what is left of the union is the fixed names.
  return phase as Exclude<Phase, `script:${string}` | `step:${string}`>;
}

export type PhaseLimits = Partial<Record<string, number>> | undefined;

/** Limit in ms: the site's for this very phase, then for its class, then the sender's own, then ours. */
export function limitOf(phase: Phase, limits: PhaseLimits, manual = false, own?: number): number {
  const kind = phaseClass(phase);
  const key = kind === 'power' && manual ? 'power-manual' : kind;
  return limits?.[phase] ?? limits?.[key] ?? own ?? PHASE_LIMITS[key];
}

/** Enter `phase` whatever came before. */
export function enter(attempt: Attempt, phase: Phase, now: Instant, limitMs: number): Attempt {
  return { ...attempt, phase, phaseSince: now, deadline: now + limitMs };
}

/**
 * Move forward to `phase`. Never backwards within one boot, so late evidence (a DHCP renewal, a repeated read) changes
 * nothing. After 'reboot' a boot starts over at any phase, except in a deployment: there 'reboot' means that the
 * installed system starts, and its own DHCP and boot program requests are part of that.
 */
export function advance(attempt: Attempt, phase: Phase, now: Instant, limitMs: number): Attempt {
  if (attempt.endedAt !== null) return attempt;
  const from = phaseClass(attempt.phase);
  const to = phaseClass(phase);
  if (phase === attempt.phase) return attempt;
  const startsOver = from === 'reboot' && attempt.kind !== 'deploy' && RANK[to] >= RANK.dhcp;
  const forward = RANK[to] > RANK[from] || (RANK[to] === RANK[from] && RANK[to] === RANK.script);
  return startsOver || forward ? enter(attempt, phase, now, limitMs) : attempt;
}
