import { badblocks } from './badblocks.ts';
import { bmcConfig } from './bmc-config.ts';
import type { Builtin } from './builtin.ts';
import { captureLldpd } from './capture-lldpd.ts';
import { dhcpUnconfiguredIfaces } from './dhcp-unconfigured-ifaces.ts';
import { getFruidApiData } from './get-fruid-api-data.ts';
import { installLldpd } from './install-lldpd.ts';
import { smartctlSelfTest, smartctlValidate } from './smartctl.ts';
import { wipeDisks } from './wipe-disks.ts';

/** Built-in scripts by the name the region orders them under. Those that only tell the inventory are the region's own. */
export const BUILTINS: ReadonlyMap<string, Builtin> = new Map([
  ['20-maas-01-install-lldpd', installLldpd],
  ['20-maas-02-dhcp-unconfigured-ifaces', dhcpUnconfiguredIfaces],
  ['30-maas-01-bmc-config', bmcConfig],
  ['maas-get-fruid-api-data', getFruidApiData],
  ['maas-capture-lldpd', captureLldpd],
  ['smartctl-validate', smartctlValidate],
  ['smartctl-short', smartctlSelfTest('short')],
  ['smartctl-long', smartctlSelfTest('long')],
  ['smartctl-conveyance', smartctlSelfTest('conveyance')],
  ['badblocks', badblocks(false)],
  ['badblocks-destructive', badblocks(true)],
  ['wipe-disks', wipeDisks],
]);
