import type { MachineSpec } from './spec.ts';

export interface MachineFiles {
  disk: string;
  serialLog: string;
  qmpSocket: string;
  pidFile: string;
  /** UEFI only: this machine's own NVRAM. */
  firmwareVariables: string;
}

/** Where Debian's ovmf package keeps the firmware; the variables file is a template to copy. */
const OVMF = {
  plain: { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  /** With Microsoft's keys enrolled and enforced. */
  secureBoot: { code: '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.ms.fd' },
};

export const ovmfOf = ({ secureBoot }: Pick<MachineSpec, 'secureBoot'>) => (secureBoot ? OVMF.secureBoot : OVMF.plain);

/** Firmware set-up. IPv6 is off, as on a site without DHCPv6: a machine that leaves the network for its disk would wait minutes for it. */
function uefiArguments(spec: MachineSpec, files: MachineFiles): string[] {
  const off = ['IPv6PXESupport', ...(spec.networkBoot === 'http' ? ['IPv4PXESupport'] : [])];
  return [
    // The keys are safe from the system only where the flash is written in management mode alone.
    ...(spec.secureBoot ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []),
    '-drive',
    `if=pflash,format=raw,unit=0,readonly=on,file=${ovmfOf(spec).code}`,
    '-drive',
    `if=pflash,format=raw,unit=1,file=${files.firmwareVariables}`,
    ...off.flatMap((setting) => ['-fw_cfg', `name=opt/org.tianocore/${setting},string=n`]),
  ];
}

/**
 * QEMU's command line for one machine: a chassis with a disk, a network card and a KCS port to its BMC, and nothing that
 * a real server lacks (no kernel from outside, no host folders, no forwarded ports).
 * `$NIC_BOOT` and `$DISK_BOOT` stand for the boot order that the BMC chose, `$CLOCK` for its clock as it is switched on; the
 * chassis script fills them in.
 */
export function qemuArguments(spec: MachineSpec, files: MachineFiles, tap: string, kcsPort: number): string[] {
  const firmware = spec.firmware === 'uefi' ? uefiArguments(spec, files) : [];
  const disk = spec.diskBus === 'nvme' ? 'nvme' : 'virtio-blk-pci';
  // With an empty ROM the firmware's own PXE client has to fetch our boot program by TFTP; QEMU's iPXE ROM would hide it.
  const nicRom = spec.firmware === 'uefi' ? ',romfile=' : '';
  return [
    '-name',
    spec.name,
    // graphics=off puts SeaBIOS and iPXE on the serial port.
    '-machine',
    `q35,graphics=off${spec.secureBoot ? ',smm=on' : ''}`,
    // KVM opens but hangs on some hosts. Nehalem decodes faster under TCG than `max`.
    '-accel',
    'tcg,thread=multi,tb-size=512',
    '-cpu',
    'Nehalem',
    '-smp',
    String(spec.cores),
    '-m',
    String(spec.memoryMiB),
    '-uuid',
    spec.uuid,
    '-smbios',
    `type=1,manufacturer=Ingot,product=Lab ${spec.firmware},serial=${spec.serial},uuid=${spec.uuid}`,
    '-nodefaults',
    '-display',
    'none',
    '-vga',
    'none',
    ...firmware,
    ...(spec.clockOffSeconds === 0 ? [] : ['-rtc', 'base=$CLOCK']),
    '-netdev',
    `tap,id=net0,ifname=${tap},script=no,downscript=no`,
    '-device',
    `virtio-net-pci,id=nic0,netdev=net0,mac=${spec.mac},bootindex=$NIC_BOOT${nicRom}`,
    '-drive',
    `if=none,id=drive0,file=${files.disk},format=raw,cache=unsafe,discard=unmap,detect-zeroes=unmap`,
    '-device',
    `${disk},id=disk0,drive=drive0,serial=${spec.diskSerial},bootindex=$DISK_BOOT`,
    '-device',
    'virtio-rng-pci',
    '-chardev',
    `socket,id=ipmi0,host=127.0.0.1,port=${kcsPort},reconnect=2`,
    '-device',
    'ipmi-bmc-extern,id=bmc0,chardev=ipmi0',
    '-device',
    'isa-ipmi-kcs,bmc=bmc0',
    '-chardev',
    `file,id=serial0,path=${files.serialLog},append=on`,
    '-serial',
    'chardev:serial0',
    '-qmp',
    `unix:${files.qmpSocket},server=on,wait=off`,
    '-pidfile',
    files.pidFile,
    '-daemonize',
  ];
}
