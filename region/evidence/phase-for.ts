import type { Phase } from '@ingot/core/machine/model.ts';

/** The phases before the agent speaks, in order. A phase is named by what is waited for. */
type Early = 'power' | 'dhcp' | 'boot-program' | 'kernel' | 'agent';
const EARLY: readonly string[] = ['power', 'dhcp', 'boot-program', 'kernel', 'agent'] satisfies Early[];

/** Where this evidence alone says that the boot has come to, and from which phases on it may be believed. */
function reached(kind: string, data: Record<string, unknown>): { phase: Early; from: readonly Early[] } | null {
  switch (kind) {
    case 'dhcp.lease':
    case 'dhcp.proxy':
      // Not from `power`: a lease renewed by whatever ran before the power call looks just the same.
      return { phase: 'boot-program', from: ['dhcp'] };
    case 'boot.script':
      // Only scripts that start the ephemeral system; `local` and `poweroff` lead nowhere.
      if (data.decision !== undefined && data.decision !== 'ephemeral') return null;
      return { phase: 'kernel', from: ['power', 'dhcp', 'boot-program'] };
    case 'http.read':
      if (data.file !== 'squashfs' || data.complete !== true) return null;
      // Not from `power`: a boot that began before the power call reads the same image, and has no ticket for this attempt.
      return { phase: 'agent', from: ['dhcp', 'boot-program', 'kernel'] };
    default:
      return null;
  }
}

/** The phase that evidence moves an open attempt to; null when it stays where it is. Never moves backwards. */
export function phaseFor(
  kind: string,
  data: Record<string, unknown>,
  attempt: { phase: string; ended: boolean },
): Phase | null {
  if (attempt.ended || !EARLY.includes(attempt.phase)) return null;
  const next = reached(kind, data);
  if (!next?.from.some((phase) => phase === attempt.phase)) return null;
  return EARLY.indexOf(next.phase) > EARLY.indexOf(attempt.phase) ? next.phase : null;
}
