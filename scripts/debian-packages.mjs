// The Debian packages Ingot's lab stands on, installed without starting or enabling a daemon on this host.
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';

const PACKAGES = [
  // machines, their firmware and their BMCs
  ['qemu-system-x86', 'ovmf', 'ipxe', 'ipxe-qemu', 'openipmi', 'ipmitool', 'socat'],
  // the boot plane and the control plane
  ['shim-signed', 'grub-efi-amd64-signed'],
  ['kea-dhcp4-server', 'dnsmasq-base', 'openssl', 'iproute2', 'procps'],
  // images
  ['mmdebstrap', 'squashfs-tools', 'zstd', 'xz-utils', 'cpio', 'busybox-static', 'kmod', 'curl', 'ca-certificates'],
  // images of people: what they come in
  ['qemu-utils', 'bzip2', 'e2fsprogs'],
  ['openssh-client'],
].flat();
// What judges our own protocols, and the browser.
const TEST_PACKAGES = ['freeipmi-tools', 'tftp-hpa', 'chromium'];
// What `npm run bench` measures us against. atftpd cannot be installed beside tftpd-hpa: its bench unpacks it aside.
const BENCH_PACKAGES = ['tftpd-hpa', 'libpcre2-8-0', 'nginx-light', 'zstd', 'freeipmi-tools', 'ipmitool', 'curl'];

// Started at boot once installed; nothing here asked for them to run on this host.
const UNITS = ['kea-dhcp4-server.service', 'openipmi.service', 'dnsmasq.service', 'tftpd-hpa.service', 'nginx.service'];

const POLICY = '/usr/sbin/policy-rc.d';
/** By this line a later start knows our own file from one that somebody wrote. */
const OURS = '# ingot: nothing is started while its packages are installed';
const POLICY_SAVED = '/usr/sbin/policy-rc.d.before-ingot';
const CREATE_CLUSTER = '/etc/postgresql-common/createcluster.conf';
const CREATE_CLUSTER_SAVED = '/etc/postgresql-common/createcluster.conf.before-ingot';

function output(program, args) {
  return new Promise((resolve) => {
    execFile(program, args, { maxBuffer: 16 << 20 }, (error, stdout) =>
      resolve({ ok: !error, stdout: String(stdout) }),
    );
  });
}

/** A PostgreSQL server of at least 15, whatever package it came from. */
export async function hasPostgres() {
  const majors = await readdir('/usr/lib/postgresql').catch(() => []);
  return majors.some((major) => Number(major) >= 15 && existsSync(`/usr/lib/postgresql/${major}/bin/postgres`));
}

export async function missingPackages(tests) {
  const missing = await notInstalled(tests ? [...PACKAGES, ...TEST_PACKAGES] : PACKAGES);
  if (!(await hasPostgres())) missing.push(await postgresPackage());
  return missing;
}

export function missingBenchPackages() {
  return notInstalled(BENCH_PACKAGES);
}

async function notInstalled(wanted) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders.
  const { stdout } = await output('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...wanted]);
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return wanted.filter((name) => !installed.has(name));
}

/** The server package the host's suite calls its default, e.g. postgresql-15. */
async function postgresPackage() {
  const { stdout } = await output('apt-cache', ['depends', 'postgresql']);
  return /Depends: (postgresql-\d+)/.exec(stdout)?.[1] ?? 'postgresql';
}

/** apt-get with its progress on descriptor 3: "dlstatus:…:PERCENT:TEXT" while fetching, "pmstatus:…" while installing. */
function aptInstall(packages, report, running) {
  return new Promise((resolve, reject) => {
    const child = spawn(
      'apt-get',
      [
        'install',
        '--yes',
        '--quiet',
        '--no-install-recommends',
        '-o',
        'APT::Status-Fd=3',
        '-o',
        'Dpkg::Use-Pty=0',
        ...packages,
      ],
      { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } },
    );
    running.child = child;
    let tail = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        tail = (tail + data).slice(-4000);
      });
    }
    let rest = '';
    child.stdio[3].on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const [kind, , percent, ...text] = line.split(':');
        // Fetching and installing are each a half of the bar.
        const half = kind === 'dlstatus' ? 0 : kind === 'pmstatus' ? 0.5 : null;
        if (half !== null) report(text.join(':').trim(), half + Number(percent) / 200);
      }
    });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`apt-get install failed:\n${tail}`))));
  });
}

async function update(report) {
  report('apt-get update', 0);
  await output('apt-get', ['update', '--quiet']);
}

async function putBack(file, saved) {
  if (existsSync(saved)) await rename(saved, file);
}

/** What an installation that was killed left of its changes to this host. Needs root. */
export async function undoLeftovers() {
  const policy = await readFile(POLICY, 'utf8').catch(() => '');
  if (policy.includes(OURS)) await rm(POLICY, { force: true });
  await putBack(POLICY, POLICY_SAVED);
  await putBack(CREATE_CLUSTER, CREATE_CLUSTER_SAVED);
}

/**
 * Installs with starting forbidden; every file it changes for that is as before afterwards, also when it is interrupted: apt is
 * waited for, then this process ends. A kill -9 is mended by the next start (undoLeftovers).
 */
export async function installPackages(packages, report) {
  const running = { child: null, signal: null };
  const stop = (signal) => {
    running.signal = signal;
    running.child?.kill('SIGINT');
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, stop);
  try {
    await install(packages, report, running);
  } catch (error) {
    if (running.signal === null) throw error;
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
  if (running.signal !== null) process.exit(128 + os.constants.signals[running.signal]);
}

async function install(packages, report, running) {
  await undoLeftovers();
  const before = new Set((await Promise.all(UNITS.map(unitExists))).flatMap((there, i) => (there ? [UNITS[i]] : [])));
  const hadPolicy = existsSync(POLICY);
  if (hadPolicy) await rename(POLICY, POLICY_SAVED);
  await writeFile(POLICY, `#!/bin/sh\n${OURS}\nexit 101\n`);
  await chmod(POLICY, 0o755);
  try {
    if ((await readdir('/var/lib/apt/lists').catch(() => [])).length < 3) await update(report);
    // Lists of some age name versions that the archive has no more.
    const installed = (names) =>
      aptInstall(names, report, running).catch(async (error) => {
        if (running.signal !== null) throw error;
        await update(report);
        await aptInstall(names, report, running);
      });
    if (packages.some((name) => name.startsWith('postgresql'))) {
      // Its file has to be there before the server's, which reads it to decide about a cluster nobody asked for.
      await installed(['postgresql-common']);
      const text = await readFile(CREATE_CLUSTER, 'utf8');
      await writeFile(CREATE_CLUSTER_SAVED, text);
      await writeFile(CREATE_CLUSTER, `${text}\ncreate_main_cluster = false\n`);
    }
    await installed(packages);
    for (const unit of UNITS) {
      if (!before.has(unit) && (await unitExists(unit))) await disable(unit);
    }
  } finally {
    await rm(POLICY, { force: true });
    await putBack(POLICY, POLICY_SAVED);
    await putBack(CREATE_CLUSTER, CREATE_CLUSTER_SAVED);
  }
}

/** A host without systemctl (a chroot, a container, another init) has Debian's own tool, which knows systemd's links too. */
async function disable(unit) {
  const { ok } = await output('systemctl', ['disable', '--quiet', unit]);
  if (!ok) await output('update-rc.d', [unit.replace('.service', ''), 'disable']);
}

async function unitExists(unit) {
  return existsSync(`/lib/systemd/system/${unit}`) || existsSync(`/etc/init.d/${unit.replace('.service', '')}`);
}
