/**
 * /init of the ephemeral system: finds the network card the firmware booted from, asks for an address, fetches the root
 * image, checks it by the sum that came in the initrd, and hands over to systemd on an overlay in RAM. Kernel command line: see docs/architecture.md.
 *
 * It waits for as long as it takes when nobody answers (the machine's deadline is the region's business) and says every five
 * seconds what for. Shell of busybox; `$name` without braces because this is a template.
 */
export const INIT_SCRIPT = `#!/bin/busybox sh
export PATH=/bin
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s /bin
mkdir -p /run /ram /new /etc
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run

say() { echo "ingot: $*"; }
uptime() { read -r up rest < /proc/uptime; echo "$up"; }
seconds() { read -r up rest < /proc/uptime; echo "$up" | cut -d. -f1; }
# Say it at most every five seconds.
last=-5
remind() { now=$(seconds); if [ $((now - last)) -ge 5 ]; then last=$now; say "$* (up $now s)"; fi; }
halt() { say "$*"; while :; do sleep 3600; done; }

for word in $(cat /proc/cmdline); do
  case "$word" in
    ingot.rack=*) rack=$(echo "$word" | cut -d= -f2-) ;;
    ingot.root=*) root=$(echo "$word" | cut -d= -f2-) ;;
    BOOTIF=*) bootif=$(echo "$word" | cut -d= -f2- | cut -d- -f2- | tr - : | tr A-F a-f) ;;
  esac
done
[ -n "$rack" ] || halt "no ingot.rack= on the kernel command line"
[ -n "$root" ] || halt "no ingot.root= on the kernel command line"
say "initramfs since $(uptime) s, rack $rack, boot interface $bootif"

# Buses first: virtio devices appear only when their PCI driver is in.
for bus in pci virtio vmbus xen; do
  [ -d /sys/bus/$bus/devices ] && cat /sys/bus/$bus/devices/*/modalias 2>/dev/null | sort -u > /run/modalias.$bus &&
    modprobe -a -q $(cat /run/modalias.$bus) 2>/dev/null
done
# One loop device holds the root; seven more would each cost udev a look for file systems. More come when asked for.
modprobe -q loop max_loop=1
modprobe -a -q squashfs overlay

interfaces() {
  for device in /sys/class/net/*; do
    name=$(basename $device)
    [ "$name" = lo ] && continue
    if [ -n "$bootif" ] && [ "$1" != any ]; then
      [ "$(cat $device/address)" = "$bootif" ] && echo "$name"
    else
      echo "$name"
    fi
  done
}
started=$(seconds)
while [ ! -e /run/address ]; do
  list=$(interfaces)
  # After 15 s without the boot interface any other may do: firmware and kernel can disagree about a MAC.
  [ -z "$list" ] && [ $(($(seconds) - started)) -ge 15 ] && list=$(interfaces any)
  if [ -z "$list" ]; then remind "waiting for network interface $bootif: no driver or no such card"; sleep 1; continue; fi
  for name in $list; do
    ip link set "$name" up
    tries=0
    while [ "$(cat /sys/class/net/$name/carrier 2>/dev/null)" != 1 ] && [ $tries -lt 50 ]; do tries=$((tries + 1)); usleep 100000; done
    # Stays in the background to renew the lease; its script is needed only for the first answer.
    udhcpc -i "$name" -s /udhcpc.sh -t 5 -T 1 -A 1 -n -x hostname:ingot > /run/udhcpc.log 2>&1 && [ -e /run/address ] && break
    remind "no DHCP answer on $name: $(tail -n 1 /run/udhcpc.log)"
  done
done
say "address $(cat /run/address) since $(uptime) s"

mount -t tmpfs -o size=80%,mode=755 tmpfs /ram
# A transfer without a new byte in 20 s is ended from beside it: with -T this static wget crashes in Debian 12.
fetch() {
  wget -q -O /ram/root.squashfs "$rack/blobs/sha256/$root" 2> /run/wget.log &
  transfer=$!
  (before=-1; while sleep 20; do now=$(stat -c %s /ram/root.squashfs 2>/dev/null || echo 0); [ "$now" = "$before" ] && kill $transfer; before=$now; done) &
  watcher=$!
  wait $transfer
  result=$?
  kill $watcher
  return $result
}
while :; do
  if fetch; then
    fetched=$(uptime)
    if b2sum --check --status /root.sum; then break; fi
    say "root image $root differs from the sum that came with this initrd: fetched again"
  else
    remind "waiting for root image from $rack: $(tail -n 1 /run/wget.log)"
  fi
  rm -f /ram/root.squashfs
  sleep 1
done
say "root image fetched at $fetched s, verified at $(uptime) s"

mkdir -p /ram/lower /ram/upper /ram/work
mount -t squashfs -o loop,ro /ram/root.squashfs /ram/lower || halt "cannot mount the root image"
mount -t overlay -o lowerdir=/ram/lower,upperdir=/ram/upper,workdir=/ram/work overlay /new || halt "cannot mount the overlay"
cp -a /ingot/. /new/
[ -s /etc/resolv.conf ] && { rm -f /new/etc/resolv.conf; cp /etc/resolv.conf /new/etc/resolv.conf; }
mkdir -p /run/ingot
uptime > /run/ingot/initramfs-end
for point in proc sys dev run; do mount -o move /$point /new/$point; done
exec switch_root /new /sbin/init
`;

/** What udhcpc calls with an answer: sets address, routes and resolver; `subnet` is a dotted mask. */
export const UDHCPC_SCRIPT = `#!/bin/busybox sh
case "$1" in
  bound | renew)
    ifconfig "$interface" "$ip" netmask "$subnet"
    for gateway in $router; do ip route replace default via "$gateway" dev "$interface" && break; done
    : > /etc/resolv.conf
    [ -n "$domain" ] && echo "search $domain" >> /etc/resolv.conf
    for server in $dns; do echo "nameserver $server" >> /etc/resolv.conf; done
    echo "$ip on $interface" > /run/address
    ;;
esac
`;
