import type { AttemptView, EvidenceView, PhaseView } from '@ingot/contract/native.ts';

const TITLES: Record<string, string> = {
  power: 'Power on by the BMC',
  dhcp: 'Network: waiting for a lease',
  'boot-program': 'Boot program',
  kernel: 'Kernel and system image',
  agent: 'Agent starting',
  reboot: 'Reboot',
  'first-boot': 'First boot',
  'power-off': 'Power off',
  'step:inventory': 'Inventory',
  'step:disk': 'Choosing the disk',
  'step:partition': 'Partition table',
  'step:filesystems': 'File systems',
  'step:image': 'Image to disk',
  'step:files': 'Configuration',
  'step:boot-loader': 'Boot loader',
  'step:sync': 'Writing out',
  'step:erase': 'Erasing the disks',
  'step:rescue': 'Rescue system',
};

const KINDS: Record<string, string> = {
  enlist: 'Enlistment',
  commission: 'Commissioning',
  test: 'Testing',
  deploy: 'Deployment',
  release: 'Release',
  erase: 'Disk erasing',
  rescue: 'Rescue mode',
  'exit-rescue': 'Leaving rescue mode',
};

export function phaseTitle(name: string): string {
  const fixed = TITLES[name];
  if (fixed) return fixed;
  const at = name.indexOf(':');
  return at < 0 ? name : name.slice(at + 1);
}

export function attemptTitle(attempt: AttemptView): string {
  return KINDS[attempt.kind] ?? attempt.kind;
}

/** Seconds a phase has lasted, at `now` (ms) when it still runs. */
export function phaseSeconds(phase: PhaseView, now: number): number {
  if (phase.endedAt) return phase.seconds;
  return Math.max(0, (now - Date.parse(phase.startedAt)) / 1000);
}

export function attemptSeconds(attempt: AttemptView, now: number): number {
  return Math.max(0, ((attempt.endedAt ? Date.parse(attempt.endedAt) : now) - Date.parse(attempt.startedAt)) / 1000);
}

/** Longer than usual by half and by five seconds: worth a look, not yet a failure. */
export function isSlow(phase: PhaseView, now: number): boolean {
  if (phase.endedAt || phase.typicalSeconds === null) return false;
  return phaseSeconds(phase, now) > Math.max(phase.typicalSeconds * 1.5, phase.typicalSeconds + 5);
}

/**
 * Evidence by index of the phase it was seen in. It names its phase; one that came twice has what was seen since it began.
 * What names none, or one that was passed over, belongs to the phase of its time.
 */
export function evidenceByPhase(phases: PhaseView[], evidence: EvidenceView[]): EvidenceView[][] {
  const lists: EvidenceView[][] = phases.map(() => []);
  for (const one of evidence) {
    const begun = (index: number) => (phases[index]?.startedAt ?? '') <= one.at;
    const named = phases.flatMap(({ name }, index) => (name === one.phase ? [index] : []));
    const place = named.findLast(begun) ?? named[0] ?? phases.findLastIndex((_, index) => begun(index));
    lists[Math.max(0, place)]?.push(one);
  }
  return lists;
}

/** Where a failed attempt failed: the scripts that its message names, else the phase it was in. */
export function isWhereItFailed(attempt: AttemptView, index: number): boolean {
  const { failure, outcome, phases } = attempt;
  if (outcome !== 'failed' || failure === null) return false;
  const scripts = phases.filter(({ name }) => name.startsWith('script:') && failure.message.includes(phaseTitle(name)));
  const phase = phases[index];
  if (scripts.length > 0 && phase) return scripts.includes(phase);
  return index === phases.length - 1;
}
