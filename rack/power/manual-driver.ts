import type { PowerDriver } from './driver.ts';

/** A person presses the button. Nothing is sent, nothing is known. */
export const manualDriver: PowerDriver = {
  schema: {
    driver_type: 'power',
    name: 'manual',
    description: 'Manual',
    chassis: false,
    can_probe: false,
    queryable: false,
    fields: [],
    missing_packages: [],
  },
  retryWaitsMs: [],
  query: async () => 'unknown',
  on: async () => 'sent',
  off: async () => 'sent',
};
