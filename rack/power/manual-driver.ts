import { MANUAL } from '@ingot/core/power/power-types.ts';
import type { PowerDriver } from './driver.ts';

/** A person presses the button. Nothing is sent, nothing is known. */
export const manualDriver: PowerDriver = {
  schema: MANUAL,
  retryWaitsMs: [],
  query: async () => 'unknown',
  on: async () => 'sent',
  off: async () => 'sent',
};
