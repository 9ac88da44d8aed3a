/**
 * The chassis behind a BMC, as the shell script that ipmi_sim calls for every power command:
 *   chassis.sh get|set|check PARAMETER [VALUE]
 * Shell, because a status query runs it each time and an interpreter's start would be most of the answer's time.
 * The script is also the machine's power button: `chassis.sh set power 1`.
 *
 * Boot order is network first, then disk. A boot device set by the BMC holds for one start, as the boot flags of
 * real BMCs do; ipmi_sim itself never clears it.
 * Every call is one line in chassis.log: milliseconds since the epoch, then the arguments.
 */
export function chassisScript(folder: string, qemu: string[], clockOffSeconds: number): string {
  const command = qemu.map(shellWord).join(' \\\n    ');
  return `#!/bin/sh
dir=${quote(folder)}
printf '%s %s\\n' "$(date +%s%3N)" "$*" >>"$dir/chassis.log"

running() {
  [ -r "$dir/qemu.pid" ] && read -r pid <"$dir/qemu.pid" && grep -aqF "$dir/" "/proc/$pid/cmdline" 2>/dev/null
}

qmp() { # one JSON command a line
  QMP_COMMANDS=$1 socat -T 5 "UNIX-CONNECT:$dir/qmp.sock" "EXEC:sh $dir/qmp-talk.sh"
}

order() { # index of the network card, index of the disk: from the next reset on
  qmp '{"execute":"qom-set","arguments":{"path":"/machine/peripheral/nic0","property":"bootindex","value":-1}}
{"execute":"qom-set","arguments":{"path":"/machine/peripheral/disk0","property":"bootindex","value":'"$2"'}}
{"execute":"qom-set","arguments":{"path":"/machine/peripheral/nic0","property":"bootindex","value":'"$1"'}}'
}

start() {
  NIC_BOOT=0 DISK_BOOT=1 CLOCK=$(date -u -d '${clockOffSeconds} seconds' +%Y-%m-%dT%H:%M:%S)
  if [ -e "$dir/boot-once" ] && [ "$(cat "$dir/boot-once")" = default ]; then NIC_BOOT=1 DISK_BOOT=0; fi
  rm -f "$dir/qmp.sock"
  qemu-system-x86_64 \\
    ${command} \\
    >>"$dir/qemu.log" 2>&1 </dev/null || return 1
  [ -e "$dir/boot-once" ] && { order 2 3 >>"$dir/qemu.log" 2>&1; rm -f "$dir/boot-once"; }
  return 0
}

stop() {
  running || return 0
  kill -TERM "$pid"
  tries=0
  while running && [ $tries -lt 40 ]; do sleep 0.05; tries=$((tries + 1)); done
  if running; then kill -KILL "$pid"; sleep 0.1; fi
  rm -f "$dir/qemu.pid"
}

reset() {
  running || return 0
  qmp '{"execute":"system_reset"}'
  # The reset has read the order; what follows holds from the one after it.
  [ -e "$dir/boot-once" ] && { sleep 0.2; order 2 3; rm -f "$dir/boot-once"; }
  return 0
}

boot() {
  case $1 in
  none) rm -f "$dir/boot-once"; running && order 2 3 ;;
  default | bios) echo default >"$dir/boot-once"; running && order 3 2 ;;
  *) echo pxe >"$dir/boot-once"; running && order 2 3 ;;
  esac
  return 0
}

verb=$1
shift
while [ $# -gt 0 ]; do
  case "$verb $1" in
  'get power') if running; then echo power:1; else echo power:0; fi; shift ;;
  'get boot') if [ -e "$dir/boot-once" ]; then echo "boot:$(cat "$dir/boot-once")"; else echo boot:none; fi; shift ;;
  get\\ *) echo "$1:0"; shift ;;
  'set power') if [ "$2" = 1 ]; then running || start || exit 1; else stop; fi; shift 2 ;;
  'set reset') reset >>"$dir/qemu.log" 2>&1; shift 2 ;;
  'set shutdown') running && qmp '{"execute":"system_powerdown"}' >>"$dir/qemu.log" 2>&1; shift 2 ;;
  'set boot') boot "$2" >>"$dir/qemu.log" 2>&1; shift 2 ;;
  set\\ *) shift; [ $# -gt 0 ] && shift ;;
  *) shift ;;
  esac
done
exit 0
`;
}

/** Speaks QMP on stdin and stdout (socat connects them), waiting for each answer: commands in flight are lost at EOF. */
export const QMP_TALK = `#!/bin/sh
answer() {
  while IFS= read -r line; do
    case $line in
    *'"return"'*) return 0 ;;
    *'"error"'*) echo "$line" >&2; return 1 ;;
    esac
  done
  return 1
}
IFS= read -r greeting
echo '{"execute":"qmp_capabilities"}'
answer || exit 1
while IFS= read -r command <&3; do
  printf '%s\\n' "$command"
  answer
done 3<<END
$QMP_COMMANDS
END
`;

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Quoted, except for the variables that the script fills in. */
function shellWord(word: string): string {
  return word
    .split(/(\$(?:NIC_BOOT|DISK_BOOT|CLOCK))/)
    .map((part, at) => (at % 2 === 1 ? `"${part}"` : part === '' ? '' : quote(part)))
    .join('');
}
