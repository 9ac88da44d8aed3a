import { type Builtin, failed, passed, skipped } from './builtin.ts';

/** 30-maas-01-bmc-config. A virtual machine counts like any other: if a BMC answers, it is one to use. */
export const bmcConfig: Builtin = async ({ configureBmc }) => {
  if (configureBmc === null) return skipped('BMC configuration was not asked for.\n');
  const outcome = await configureBmc();
  if (!outcome.found) return skipped(outcome.text);
  return outcome.report === null ? failed(1, outcome.text, 'The BMC could not be configured.\n') : passed(outcome.text);
};
