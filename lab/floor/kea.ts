import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Lab } from '../data-centre.ts';
import { startDaemon, tryCommand } from '../run/command.ts';

/** The recipe's DHCP: one subnet, three boot classes, no reservations, no leases kept. */
function keaConfiguration(lab: Lab, folder: string): object {
  const next = lab.rackAddress;
  const http = `http://${next}:5248`;
  return {
    Dhcp4: {
      'interfaces-config': { interfaces: [lab.rackInterface], 'dhcp-socket-type': 'raw' },
      'lease-database': { type: 'memfile', persist: false },
      'valid-lifetime': 600,
      'option-def': [
        { name: 'ipxe-encap', code: 175, type: 'empty', encapsulate: 'ipxe' },
        { name: 'no-pxedhcp', space: 'ipxe', code: 176, type: 'uint8' },
      ],
      'client-classes': [
        {
          name: 'ipxe',
          test: "substring(option[77].hex,0,4) == 'iPXE'",
          'boot-file-name': `${http}/boot.ipxe`,
          'next-server': next,
          'option-data': [{ name: 'ipxe-encap' }, { space: 'ipxe', name: 'no-pxedhcp', data: '1' }],
        },
        {
          name: 'bios-pxe',
          test: "substring(option[60].hex,0,9) == 'PXEClient' and option[93].hex == 0x0000 and not member('ipxe')",
          'boot-file-name': 'undionly.kpxe',
          'next-server': next,
        },
        {
          name: 'uefi-pxe',
          test: "substring(option[60].hex,0,9) == 'PXEClient' and (option[93].hex == 0x0007 or option[93].hex == 0x0009) and not member('ipxe')",
          'boot-file-name': 'ipxe.efi',
          'next-server': next,
        },
        {
          name: 'uefi-http',
          test: "substring(option[60].hex,0,10) == 'HTTPClient' and (option[93].hex == 0x000f or option[93].hex == 0x0010)",
          'boot-file-name': `${http}/ipxe.efi`,
          'option-data': [{ name: 'vendor-class-identifier', data: 'HTTPClient' }],
        },
      ],
      subnet4: [
        {
          id: 1,
          subnet: lab.cidr,
          pools: [{ pool: `${lab.dynamic.start} - ${lab.dynamic.end}` }],
        },
      ],
      loggers: [
        { name: 'kea-dhcp4', severity: 'INFO', output_options: [{ output: path.join(folder, 'kea-dhcp4.log') }] },
      ],
    },
  };
}

/** Starts Kea in the rack's namespace, from a copy of its binary: Debian's AppArmor profile binds the installed path. */
export async function startKea(lab: Lab, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const binary = path.join(folder, 'kea-dhcp4');
  await copyFile('/usr/sbin/kea-dhcp4', binary);
  const file = path.join(folder, 'dhcp4.conf');
  await writeFile(file, JSON.stringify(keaConfiguration(lab, folder), null, 1));
  const environment = ['env', `KEA_PIDFILE_DIR=${folder}`, `KEA_LOCKFILE_DIR=${folder}`];
  const test = await tryCommand(lab.rackCommand([...environment, binary, '-t', file]));
  if (test.code !== 0) throw new Error(`Kea refuses ${file}: ${test.stderr || test.stdout}`);
  await startDaemon(lab.rackCommand([...environment, binary, '-c', file]), path.join(folder, 'kea.log'));
}

/** The recipe's TFTP server: dnsmasq with nothing but TFTP switched on. */
export async function startTftp(lab: Lab, root: string, log: string): Promise<void> {
  await startDaemon(
    lab.rackCommand([
      'dnsmasq',
      '--keep-in-foreground',
      '--conf-file=/dev/null',
      '--port=0',
      `--interface=${lab.rackInterface}`,
      '--bind-interfaces',
      '--enable-tftp',
      `--tftp-root=${root}`,
      '--user=root',
      '--pid-file=',
      '--log-facility=-',
    ]),
    log,
  );
}
