import { type Builtin, passed } from './builtin.ts';

/** maas-kernel-cmdline. */
export const kernelCmdline: Builtin = async ({ inventory }) => {
  const { cmdline } = await inventory();
  return passed(`${cmdline}\n`);
};
