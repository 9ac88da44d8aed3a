import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { tryCommand } from '../run/command.ts';

/** The recipe's agent: Node says that it is there, fetches a shell script and runs it. */
const AGENT = `import { spawnSync } from 'node:child_process';
import { request } from 'node:http';

const base = process.argv[2];
const ask = (method, path) =>
  new Promise((resolve, reject) => {
    const call = request(base + path, { method }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part) => { text += part; }).on('end', () => resolve(text));
    });
    call.once('error', reject).end();
  });
await ask('POST', '/posted/agent');
const job = await ask('GET', '/job.sh');
process.exitCode = spawnSync('sh', ['-c', job], { stdio: 'inherit' }).status ?? 1;
`;

/** The recipe's /init: the card the firmware booted from, an address, the root image, systemd. */
const INIT = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s /bin
mkdir -p /run /ram /new /etc
mount -t tmpfs -o mode=755 tmpfs /run
for word in $(cat /proc/cmdline); do
  case "$word" in
    ingot.rack=*) rack=$(echo "$word" | cut -d= -f2-) ;;
    ingot.root=*) root=$(echo "$word" | cut -d= -f2-) ;;
    BOOTIF=*) mac=$(echo "$word" | cut -d= -f2- | cut -d- -f2- | tr - :) ;;
  esac
done
for bus in pci virtio; do modprobe -a -q $(cat /sys/bus/$bus/devices/*/modalias | sort -u); done
modprobe -a -q loop squashfs overlay
for device in /sys/class/net/*; do
  [ "$(cat $device/address)" = "$mac" ] || continue
  name=$(basename $device)
  ip link set $name up
  until udhcpc -i $name -s /udhcpc.sh -t 5 -T 1 -A 1 -n -q; do sleep 1; done
done
mount -t tmpfs -o size=80%,mode=755 tmpfs /ram
until wget -q -O /ram/root.squashfs $rack/blobs/sha256/$root; do sleep 1; done
mkdir -p /ram/lower /ram/upper /ram/work
mount -t squashfs -o loop,ro /ram/root.squashfs /ram/lower
mount -t overlay -o lowerdir=/ram/lower,upperdir=/ram/upper,workdir=/ram/work overlay /new
cp -a /ingot/. /new/
for point in proc sys dev run; do mount -o move /$point /new/$point; done
exec switch_root /new /sbin/init
`;

function unit(http: string): string {
  return `[Unit]
DefaultDependencies=no
[Service]
ExecStart=/usr/bin/node --no-warnings /usr/lib/ingot/agent.mjs ${http}
StandardOutput=tty
TTYPath=/dev/console
StandardError=tty
`;
}

/**
 * Ingot's initrd with the recipe's /init (it checks no sums and waits for nobody) and the recipe's agent in place of its own, written to
 * `target`.
 */
export async function writeFloorInitrd(original: string, http: string, folder: string, target: string): Promise<void> {
  const tree = path.join(folder, 'initrd-overlay');
  const files: [string, string, number][] = [
    ['init', INIT, 0o755],
    ['ingot/usr/lib/ingot/agent.mjs', AGENT, 0o644],
    ['ingot/etc/systemd/system/ingot-agent.service', unit(http), 0o644],
  ];
  for (const [name, text, mode] of files) {
    await mkdir(path.join(tree, path.dirname(name)), { recursive: true });
    await writeFile(path.join(tree, name), text, { mode });
  }
  const archive = path.join(folder, 'initrd-overlay.cpio');
  const script = 'cd "$0" && find . | cpio --quiet --create --format=newc > "$1"';
  const made = await tryCommand(['sh', '-c', script, tree, archive], 60_000);
  if (made.code !== 0) throw new Error(`cpio: ${made.stderr}`);
  const first = await readFile(original);
  // Archives that follow one another begin on a four-byte boundary.
  const gap = Buffer.alloc((4 - (first.length % 4)) % 4);
  await writeFile(target, Buffer.concat([first, gap, await readFile(archive)]));
}
