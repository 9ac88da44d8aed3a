import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BmcReport, Task } from '@ingot/contract/agent.ts';
import { openBmc, privateDirectory } from './devices.ts';
import { runTool, type ToolRun } from './tool.ts';

type BmcSettings = NonNullable<Extract<Task, { kind: 'scripts' }>['bmc']>;

export const DEFAULT_BMC_SETTINGS: BmcSettings = { user: 'maas', privilege: 'ADMIN', cipherSuite: '3', kg: '' };

export type BmcOutcome = { found: false; text: string } | { found: true; report: BmcReport | null; text: string };

/** IPMI 2.0 table 22-28: the number of a privilege level. */
const PRIVILEGES: Partial<Record<string, { number: string; level: string }>> = {
  USER: { number: '2', level: 'USER' },
  OPERATOR: { number: '3', level: 'OPERATOR' },
  ADMIN: { number: '4', level: 'ADMINISTRATOR' },
};

/**
 * Find this machine's BMC over its in-band interface and give it a user of ours with a random password. Every command and its
 * answer, without the password, is in `text`. `report` is null when the BMC is there but could not be made usable.
 */
export async function configureBmc(settings: BmcSettings): Promise<BmcOutcome> {
  if (!(await openBmc())) return { found: false, text: 'No BMC automatically detected!\n' };
  const lines: string[] = [];
  const ipmi: Ipmi = async (args, shown = args.join(' ')) => {
    const run = await runTool('ipmitool', args, { timeoutSeconds: 60 });
    lines.push(`ipmitool ${shown}: ${run.exitStatus}`, run.combined.trim());
    return run;
  };
  const ended = (report: BmcReport | null, text: string): BmcOutcome => {
    lines.push(text, '');
    return { found: true, report, text: lines.join('\n') };
  };
  // On nearly every board channel 1 is the network's: one question tells everything.
  const first = await several(ipmi, ['mc info', 'lan print 1', 'user list 1']);
  if (!MC_INFO.test(first.stdout)) return ended(null, 'The BMC does not answer.');
  const near = parseLanPrint(first.stdout);
  const lan = near === null ? await lanChannel(ipmi) : { channel: '1', ...near };
  if (lan === null) return ended(null, 'The BMC has no LAN channel with an IPv4 address.');
  const users = near === null ? await ipmi(['-c', 'user', 'list', lan.channel]) : first;
  const slot = userSlot(users.stdout, settings.user);
  if (slot === null) return ended(null, `The BMC has no free user slot for ${settings.user}.`);
  const privilege = PRIVILEGES[settings.privilege.toUpperCase()] ?? { number: '4', level: 'ADMINISTRATOR' };
  const known = hasUser(users.stdout, settings.user);
  if (!known && (await ipmi(['user', 'set', 'name', slot, settings.user])).exitStatus !== 0) {
    return ended(null, `The BMC refuses the user name ${settings.user}.`);
  }
  const access = `link=on ipmi=on callin=on privilege=${privilege.number}`;
  const password = await openAccount(ipmi, slot, [
    // This order matters on some boards: name, password, enable, privilege, access.
    `user enable ${slot}`,
    `channel setaccess ${lan.channel} ${slot} ${access}`,
    `lan set ${lan.channel} access on`,
  ]);
  if (password === null) return ended(null, 'The BMC refuses every form of password that was tried, or LAN access.');
  const version2 = /IPMI Version\s*:\s*2\./.test(first.stdout);
  const parameters = {
    power_address: lan.address,
    power_user: settings.user,
    power_pass: password,
    power_driver: version2 ? 'LAN_2_0' : 'LAN',
    power_boot_type: existsSync('/sys/firmware/efi') ? 'efi' : 'auto',
    k_g: settings.kg,
    cipher_suite_id: settings.cipherSuite,
    privilege_level: settings.privilege.toUpperCase(),
    mac_address: lan.mac,
  };
  return ended({ powerType: 'ipmi', parameters }, `BMC at ${lan.address}, user ${settings.user} in slot ${slot}.`);
}

/** Runs ipmitool; `shown` is what the text says of its arguments. */
type Ipmi = (args: string[], shown?: string) => Promise<ToolRun>;

const MC_INFO = /^IPMI Version\s*:/m;
const COMMANDS = '/run/ingot/ipmitool.txt';

/**
 * Several commands by one start of the tool, which on a slow core takes longer than the BMC's answer. They print one after the
 * other, lists as CSV; the exit status is that of the last.
 */
async function several(ipmi: Ipmi, commands: string[], secret = ''): Promise<ToolRun> {
  await privateDirectory(dirname(COMMANDS));
  await writeFile(COMMANDS, `${commands.join('\n')}\n`, { mode: 0o600 });
  const shown = commands.map((command) => (secret === '' ? command : command.replace(secret, '********')));
  const run = await ipmi(['-c', 'exec', COMMANDS], `-c ${shown.join('; ')}`);
  // It holds a password.
  await rm(COMMANDS, { force: true });
  return run;
}

const LAN_CHANNELS = ['1', '2', '3', '4', '5', '6', '7', '8'];
const ADDRESS_TRIES = 6;

async function lanChannel(ipmi: Ipmi): Promise<{ channel: string; address: string; mac: string } | null> {
  const withoutAddress: string[] = [];
  for (const channel of LAN_CHANNELS) {
    const print = await ipmi(['lan', 'print', channel]);
    if (print.exitStatus !== 0) continue;
    const lan = parseLanPrint(print.stdout);
    if (lan?.address !== undefined) return { channel, ...lan };
    if (lan === null && /IP Address\s+:/.test(print.stdout)) withoutAddress.push(channel);
  }
  // A BMC that was never set up: let it ask for an address itself, at most a minute.
  const channel = withoutAddress[0];
  if (channel === undefined || (await ipmi(['lan', 'set', channel, 'ipsrc', 'dhcp'])).exitStatus !== 0) return null;
  for (let tries = 0; tries < ADDRESS_TRIES; tries += 1) {
    await sleep(10_000);
    const lan = parseLanPrint((await ipmi(['lan', 'print', channel])).stdout);
    if (lan !== null) return { channel, ...lan };
  }
  return null;
}

/** Address and MAC of `ipmitool lan print`; null without a usable address (unset or link-local). */
export function parseLanPrint(text: string): { address: string; mac: string } | null {
  const address = /^IP Address\s+:\s*(\S+)/m.exec(text)?.[1] ?? '';
  const mac = /^MAC Address\s+:\s*(\S+)/m.exec(text)?.[1]?.toLowerCase() ?? '';
  if (!/^\d+\.\d+\.\d+\.\d+$/.test(address) || address === '0.0.0.0' || address.startsWith('169.254.')) return null;
  return { address, mac };
}

/** Slot of the user of that name, else the first empty one from 2 up (1 is the anonymous user), from `ipmitool -c user list`. */
export function userSlot(csv: string, user: string): string | null {
  const slots = csv
    .split('\n')
    .map((line) => line.split(','))
    .filter((cells) => /^\d+$/.test(cells[0] ?? '') && Number(cells[0]) >= 2);
  const own = slots.find((cells) => cells[1] === user);
  const empty = slots.find((cells) => ['', '(Empty User)'].includes((cells[1] ?? '').trim()));
  return (own ?? empty)?.[0] ?? null;
}

function hasUser(csv: string, user: string): boolean {
  return csv.split('\n').some((line) => line.split(',')[1] === user);
}

/**
 * A password that the BMC takes, and then the commands that let its user in. Boards differ in what they accept: short plain,
 * long plain, short complex, long complex. Null when none was taken or the user may not come by network.
 */
async function openAccount(ipmi: Ipmi, slot: string, letIn: string[]): Promise<string | null> {
  for (const make of [
    () => plainPassword(15),
    () => plainPassword(18),
    () => complexPassword(15),
    () => complexPassword(18),
  ]) {
    const password = make();
    const size = password.length > 16 ? '20' : '16';
    const run = await several(ipmi, [`user set password ${slot} ${password} ${size}`, ...letIn], password);
    // Each says so itself: the exit status is that of the last.
    if (/^Set User Password command successful/m.test(run.stdout)) {
      return /^Set User Access .* successful/m.test(run.stdout) ? password : null;
    }
  }
  return null;
}

const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const LOWER = 'abcdefghijklmnopqrstuvwxyz';
const DIGITS = '0123456789';
// No '#': ipmitool takes what follows it in a file of commands for a comment.
const SPECIAL = '!%+-.=@_';

function pick(alphabet: string): string {
  return alphabet[randomInt(alphabet.length)] ?? '';
}

export function plainPassword(length: number): string {
  return Array.from({ length }, () => pick(UPPER + LOWER + DIGITS)).join('');
}

/** Two of each kind, one special, no character twice in a row. */
export function complexPassword(length: number): string {
  const alphabets = [UPPER, LOWER, DIGITS, UPPER, LOWER, DIGITS, SPECIAL];
  let password = '';
  // Each position has an alphabet of its own, so a repeated neighbour is drawn again from 9 to 36 characters.
  for (let position = 0; position < length; position += 1) {
    const alphabet = alphabets[position % alphabets.length] ?? LOWER;
    password += pick([...alphabet].filter((character) => character !== password.at(-1)).join(''));
  }
  return password;
}
