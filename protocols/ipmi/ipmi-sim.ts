import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Debian's ipmi_sim (package openipmi) as a BMC to test against. Its power is a file; every call to it is logged. */
export interface IpmiSim {
  host: string;
  port: number;
  address: string;
  user: string;
  password: string;
  /** Calls of the chassis hook that changed something, in order: "set power 1", "set boot pxe" … */
  log(): Promise<string[]>;
  power(): Promise<'on' | 'off'>;
  setPower(state: 'on' | 'off'): Promise<void>;
  stop(): Promise<void>;
}

export interface IpmiSimOptions {
  /** At most 19 characters: with 20, ipmi_sim fails with every client. */
  kg?: string;
  /** Soft-off is ignored, as by a hung operating system. */
  deafToSoftOff?: boolean;
  /** Seconds that "set power" takes to take effect. */
  delaySeconds?: number;
  /** Seconds that the BMC is busy with "set power" before it answers anything, as on a busy host. */
  busySeconds?: number;
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

export async function startIpmiSim(options: IpmiSimOptions = {}): Promise<IpmiSim> {
  const dir = await mkdtemp(join(tmpdir(), 'ipmi-sim-'));
  const port = await freeUdpPort();
  await mkdir(join(dir, 'state'));
  await writeFile(join(dir, 'power'), '0\n');
  await writeFile(join(dir, 'boot'), 'default\n');
  await writeFile(join(dir, 'log'), '');
  await writeFile(join(dir, 'chassis.sh'), chassisHook(dir, options), { mode: 0o755 });
  await writeFile(
    join(dir, 'lan.conf'),
    `name "sim"
set_working_mc 0x20
startlan 1
  addr 127.0.0.1 ${port}
  priv_limit admin
  allowed_auths_user none md2 md5 straight
  allowed_auths_operator none md2 md5 straight
  allowed_auths_admin none md2 md5 straight
  guid a123456789abcdefa123456789abcdef
  ${options.kg ? `bmc_key "${options.kg}"` : ''}
endlan
chassis_control "${join(dir, 'chassis.sh')} 0x20"
user 1 true "" "test" user 10 none md2 md5 straight
user 2 true "ingot" "sekret-pw" admin 10 none md2 md5 straight
`,
  );
  await writeFile(
    join(dir, 'sim.emu'),
    'mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nsel_enable 0x20 1000 0x0a\nmc_enable 0x20\n',
  );
  const args = ['-c', join(dir, 'lan.conf'), '-f', join(dir, 'sim.emu'), '-s', join(dir, 'state'), '-n'];
  const child = spawn('ipmi_sim', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.resume();
  child.stderr.resume();
  await untilAnswering(port, child);
  return {
    host: '127.0.0.1',
    port,
    address: `127.0.0.1:${port}`,
    user: 'ingot',
    password: 'sekret-pw',
    log: async () => (await readFile(join(dir, 'log'), 'utf8')).split('\n').filter((line) => line !== ''),
    power: async () => ((await readFile(join(dir, 'power'), 'utf8')).trim() === '1' ? 'on' : 'off'),
    setPower: async (state) => await writeFile(join(dir, 'power'), state === 'on' ? '1\n' : '0\n'),
    stop: async () => {
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      if (child.exitCode === null && child.kill('SIGKILL')) await gone;
      await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

function chassisHook(dir: string, options: IpmiSimOptions): string {
  const delay = options.delaySeconds ?? 0;
  const busy = options.busySeconds === undefined ? '' : `sleep ${options.busySeconds}; `;
  const setPower =
    delay > 0 ? `(sleep ${delay}; echo "$4" >${dir}/power) >/dev/null 2>&1 &` : `echo "$4" >${dir}/power`;
  return `#!/bin/sh
# Called as: 0x20 get|set|check PARAMETER [VALUE]
[ "$2" = set ] && echo "$2 $3 $4" >>${dir}/log
case "$2 $3" in
  "get power") echo "power:$(cat ${dir}/power)" ;;
  "get boot") echo "boot:$(cat ${dir}/boot)" ;;
  "set power") ${busy}${setPower} ;;
  "set boot") echo "$4" >${dir}/boot ;;
  "set shutdown") ${options.deafToSoftOff ? ':' : `echo 0 >${dir}/power`} ;;
esac
exit 0
`;
}

/** An RMCP presence ping (ASF) is answered as soon as ipmi_sim listens. */
async function untilAnswering(port: number, child: ChildProcess): Promise<void> {
  const ping = Buffer.from([6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, 0, 0, 0]);
  const socket = createSocket('udp4');
  // Until it listens, ICMP tells so.
  socket.on('error', () => undefined);
  try {
    const answered = new Promise<boolean>((resolve) => socket.once('message', () => resolve(true)));
    for (let i = 0; i < 100; i++) {
      if (child.exitCode !== null) throw new Error(`ipmi_sim ended with ${child.exitCode}`);
      socket.send(ping, port, '127.0.0.1');
      const waited = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 100));
      if (await Promise.race([answered, waited])) return;
    }
    throw new Error('ipmi_sim does not answer after 10 s');
  } finally {
    socket.close();
  }
}
