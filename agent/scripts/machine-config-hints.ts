import { type Builtin, passed } from './builtin.ts';

/** 40-maas-01-machine-config-hints. */
export const machineConfigHints: Builtin = async ({ inventory }) => {
  const { dmi } = await inventory();
  const dgx = /^nvidia/i.test(dmi['system-manufacturer'] ?? '') && /dgx/i.test(dmi['system-product-name'] ?? '');
  return passed(`${JSON.stringify({ platform: dgx ? 'nvidia-dgx' : 'generic', tags: [] })}\n`);
};
