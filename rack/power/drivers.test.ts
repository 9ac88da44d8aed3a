import { POWER_TYPES } from '@ingot/core/power/power-types.ts';
import { expect, it } from 'vitest';
import { DRIVERS } from './worker.ts';

it('each power type that clients are offered has its driver, and no driver is hidden', () => {
  expect(DRIVERS.map((driver) => driver.schema)).toEqual(POWER_TYPES);
});

it('a state that cannot be asked for is the only one that needs no tries', () => {
  for (const driver of DRIVERS) expect(driver.retryWaitsMs.length > 0).toBe(driver.schema.queryable);
});
