import type { MachineView } from '@ingot/contract/native.ts';
export function filtered(
  machines: MachineView[],
  _question: string,
): { machines: MachineView[]; problem: string | null } {
  return { machines, problem: null };
}
