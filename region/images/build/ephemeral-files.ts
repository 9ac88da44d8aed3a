import { AGENT_NODE_FLAGS } from './agent-snapshot.ts';
import type { CpioEntry } from './cpio.ts';

const NODE = ['/usr/bin/node', ...AGENT_NODE_FLAGS].join(' ');

const AGENT_UNIT = `[Unit]
Description=Ingot agent
# As early as systemd can: the agent itself waits for devices when a task needs them.
DefaultDependencies=no
StartLimitIntervalSec=0

[Service]
# From the snapshot; from the program where Node refuses it, or when that one ended.
ExecStart=/bin/sh -c '${NODE} --snapshot-blob /usr/lib/ingot/agent.blob || exec ${NODE} /usr/lib/ingot/agent.cjs'
Restart=always
RestartSec=1
OOMScoreAdjust=-900
Nice=-5
# Not by the journal: it is not needed for this and takes time to start.
StandardOutput=tty
TTYPath=/dev/console
StandardError=tty
`;

const TARGET_UNIT = `[Unit]
Description=Ingot ephemeral system
DefaultDependencies=no
AllowIsolate=yes
Wants=ingot-agent.service systemd-udevd.service systemd-udev-trigger.service systemd-tmpfiles-setup.service
`;

/**
 * What a server's hardware hangs on. Everything else (terminals, memory blocks, one device per CPU …) has no driver to load that an
 * inventory or an installation needs, and there are thousands of them on a large machine.
 */
const COLDPLUGGED = 'pci usb virtio vmbus xen platform acpi scsi ata_port nvme block net'.split(' ');

const COLDPLUG = `[Service]
ExecStart=
ExecStart=udevadm trigger --action=add ${COLDPLUGGED.map((name) => `--subsystem-match=${name}`).join(' ')}
`;

/** The agent's first talk with the region needs none of this: it goes first. */
const AFTER_THE_AGENT = '[Service]\nNice=10\n';

/** Each is a program started before the first unit; nothing here has an fstab, swap to resume from or SysV scripts. */
const MASKED_GENERATORS = [
  ...'cryptsetup debug fstab getty gpt-auto hibernate-resume integritysetup'.split(' '),
  ...'rc-local run system-update sysv veritysetup'.split(' '),
];

const SSH_CONFIG = `PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
`;

/** Units that do nothing useful in a machine that lives for minutes, or would touch network and disks behind the agent's back. */
const MASKED = [
  ...'apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer'.split(' '),
  ...'e2scrub_reap.service'.split(' '),
  ...'systemd-timesyncd.service networking.service systemd-networkd.service lvm2-monitor.service'.split(' '),
  ...'lvm2-lvmpolld.socket'.split(' '),
  ...'mdmonitor.service mdcheck_start.timer mdcheck_continue.timer mdmonitor-oneshot.timer'.split(' '),
  ...'smartmontools.service'.split(' '),
  ...'lldpd.service openipmi.service ipmidetectd.service kexec.service kexec-load.service'.split(' '),
  ...'nvmf-autoconnect.service nvmefc-boot-connections.service blk-availability.service'.split(' '),
  ...'systemd-random-seed.service systemd-update-utmp.service systemd-hwdb-update.service ldconfig.service'.split(' '),
];

/**
 * What is laid over the squashfs at boot. It travels in the initrd, so a change of agent or units does not rebuild the
 * squashfs. Paths are relative to the new root. `snapshot` is null where none could be made.
 */
export function ephemeralFiles(agent: Buffer, snapshot: Buffer | null): CpioEntry[] {
  const text = (path: string, content: string, mode = 0o644): CpioEntry => ({
    path,
    kind: 'file',
    mode,
    content: Buffer.from(content),
  });
  const units = 'etc/systemd/system';
  return [
    { path: 'usr/lib/ingot/agent.cjs', kind: 'file', mode: 0o644, content: agent },
    ...(snapshot === null
      ? []
      : [{ path: 'usr/lib/ingot/agent.blob', kind: 'file' as const, mode: 0o644, content: snapshot }]),
    text(`${units}/ingot-agent.service`, AGENT_UNIT),
    text(`${units}/ingot.target`, TARGET_UNIT),
    { path: `${units}/default.target`, kind: 'link', target: 'ingot.target' },
    ...MASKED.map((unit): CpioEntry => ({ path: `${units}/${unit}`, kind: 'link', target: '/dev/null' })),
    ...MASKED_GENERATORS.map(
      (name): CpioEntry => ({
        path: `etc/systemd/system-generators/systemd-${name}-generator`,
        kind: 'link',
        target: '/dev/null',
      }),
    ),
    text(`${units}/systemd-udev-trigger.service.d/ingot.conf`, COLDPLUG),
    text(`${units}/systemd-udevd.service.d/ingot.conf`, AFTER_THE_AGENT),
    text(`${units}/systemd-tmpfiles-setup.service.d/ingot.conf`, AFTER_THE_AGENT),
    text('etc/ssh/sshd_config.d/ingot.conf', SSH_CONFIG),
    text('etc/hostname', 'ingot\n'),
    text('etc/hosts', '127.0.0.1 localhost ingot\n::1 localhost\n'),
    text('etc/machine-id', ''),
    text('etc/fstab', ''),
    // ipmitool reads this list of manufacturers, 4.7 MB, at every start: a second each in a small machine. Without any
    // entry it gives up ("Failed to initialize the OEM info dictionary"), so one is left.
    text(
      'usr/share/misc/enterprise-numbers.txt',
      '0\n  Reserved\n    Internet Assigned Numbers Authority\n      iana&iana.org\n',
    ),
    // Links keep the kernel's names: facts are keyed by MAC, and renaming costs a udev round.
    { path: `${units.replace('/system', '/network')}/99-default.link`, kind: 'link', target: '/dev/null' },
    text('etc/modprobe.d/ingot.conf', 'options ipmi_si trydefaults=0\n'),
  ];
}
