export interface BmcSpec {
  name: string;
  address: string;
  prefixLength: number;
  gateway: string;
  mac: string;
  guid: string;
  /** TCP port on the fabric's loopback where QEMU's KCS device meets the BMC. */
  kcsPort: number;
  adminPassword: string;
  chassisScript: string;
  lanScript: string;
}

/** ipmi_sim's configuration (ipmi_lan(5)); the package ships no example. It expands no variables: absolute paths only. */
export function lanConfiguration(bmc: BmcSpec): string {
  return `name "${bmc.name}"
set_working_mc 0x20
startlan 1
  addr ${bmc.address} 623
  priv_limit admin
  allowed_auths_callback none md2 md5 straight
  allowed_auths_user none md2 md5 straight
  allowed_auths_operator none md2 md5 straight
  allowed_auths_admin none md2 md5 straight
  guid ${bmc.guid}
  lan_config_program "${bmc.lanScript}"
endlan
chassis_control "${bmc.chassisScript}"
serial kcs 127.0.0.1 ${bmc.kcsPort} codec VM
startnow false
poweroff_wait 3
kill_wait 2
user 1 true "" "" user 10 none md2 md5 straight
user 2 true "admin" "${bmc.adminPassword}" admin 10 none md2 md5 straight
`;
}

/** Creates the management controller inside ipmi_sim and switches it on. */
export const EMULATOR_COMMANDS = `mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_enable 0x20
`;

/** Answers what `ipmitool lan print` asks inside the machine; the address is fixed by the site, so "set" changes nothing. */
export function lanScript(bmc: BmcSpec): string {
  const bits = (0xffffffff << (32 - bmc.prefixLength)) >>> 0;
  const mask = [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join('.');
  return `#!/bin/sh
[ "$1" = get ] || exit 0
shift
for parameter in "$@"; do
  case $parameter in
  ip_addr) echo ip_addr:${bmc.address} ;;
  ip_addr_src) echo ip_addr_src:static ;;
  mac_addr) echo mac_addr:${bmc.mac} ;;
  subnet_mask) echo subnet_mask:${mask} ;;
  default_gw_ip_addr) echo default_gw_ip_addr:${bmc.gateway} ;;
  default_gw_mac_addr | backup_gw_mac_addr) echo "$parameter:00:00:00:00:00:00" ;;
  *) echo "$parameter:0.0.0.0" ;;
  esac
done
`;
}
