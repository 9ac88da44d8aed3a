import type { Code } from '@ingot/core/machine/catalogue.ts';
import type { Steps } from '../steps.ts';

/** Why a step of the installation ended it; the code is what the attempt fails with. */
export class StepFailed extends Error {
  readonly code: Code;
  constructor(code: Code, message: string) {
    super(message);
    this.code = code;
  }
}

/** A reported step; what it throws becomes a failed step of that name, unless it says better what it is. */
export function inStep(name: string, steps: Steps, work: () => Promise<void>): Promise<void> {
  return steps.run(name, async () => {
    try {
      await work();
    } catch (error) {
      if (error instanceof StepFailed) throw error;
      throw new StepFailed('install.step_failed', `${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
}
