import { type Builtin, failed, passed } from './builtin.ts';

/** maas-lshw: `lshw -xml`; tags are evaluated over it. */
export const lshw: Builtin = async ({ inventory }) => {
  const { lshwXml } = await inventory();
  return lshwXml === '' ? failed(1, '', 'lshw gave no output.\n') : passed(lshwXml);
};
