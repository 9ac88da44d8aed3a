import { type Builtin, passed } from './builtin.ts';

/** maas-list-modaliases. */
export const listModaliases: Builtin = async ({ inventory }) =>
  passed(`${(await inventory()).modaliases.join('\n')}\n`);
