import { badblocks } from './badblocks.ts';
import { bmcConfig } from './bmc-config.ts';
import type { Builtin } from './builtin.ts';
import { captureLldpd } from './capture-lldpd.ts';
import { commissioning } from './commissioning.ts';
import { dhcpUnconfiguredIfaces } from './dhcp-unconfigured-ifaces.ts';
import { getFruidApiData } from './get-fruid-api-data.ts';
import { installLldpd } from './install-lldpd.ts';
import { kernelCmdline } from './kernel-cmdline.ts';
import { listModaliases } from './list-modaliases.ts';
import { lshw } from './lshw.ts';
import { machineConfigHints } from './machine-config-hints.ts';
import { machineResources } from './machine-resources.ts';
import { serialPorts } from './serial-ports.ts';
import { smartctlSelfTest, smartctlValidate } from './smartctl.ts';
import { supportInfo } from './support-info.ts';
import { wipeDisks } from './wipe-disks.ts';

/** Built-in scripts by the name the region orders them under. */
export const BUILTINS: ReadonlyMap<string, Builtin> = new Map([
  ['20-maas-01-install-lldpd', installLldpd],
  ['20-maas-02-dhcp-unconfigured-ifaces', dhcpUnconfiguredIfaces],
  ['20-maas-03-machine-resources', machineResources],
  ['30-maas-01-bmc-config', bmcConfig],
  ['40-maas-01-machine-config-hints', machineConfigHints],
  ['50-maas-01-commissioning', commissioning],
  ['maas-support-info', supportInfo],
  ['maas-lshw', lshw],
  ['maas-list-modaliases', listModaliases],
  ['maas-get-fruid-api-data', getFruidApiData],
  ['maas-kernel-cmdline', kernelCmdline],
  ['maas-serial-ports', serialPorts],
  ['maas-capture-lldpd', captureLldpd],
  ['smartctl-validate', smartctlValidate],
  ['smartctl-short', smartctlSelfTest('short')],
  ['smartctl-long', smartctlSelfTest('long')],
  ['smartctl-conveyance', smartctlSelfTest('conveyance')],
  ['badblocks', badblocks(false)],
  ['badblocks-destructive', badblocks(true)],
  ['wipe-disks', wipeDisks],
]);
