import type { BmcFaults } from './bmc-faults.ts';
import type { BmcSession, SessionTable } from './bmc-session.ts';
import {
  type BootOverride,
  type BootParameters,
  forgetOneBoot,
  getBootParameter,
  setBootParameter,
} from './boot-options.ts';
import { encodeCipherList, LIST_CHUNK } from './cipher-list.ts';
import { type IpmiRequest, NETFN } from './message.ts';
import { PRIVILEGE } from './privilege.ts';
import type { CipherSuite } from './suite.ts';

/** Commands that a BMC for power and boot needs (IPMI 2.0 chapters 20, 22, 28), as one table. */

export type BmcControl = 'off' | 'on' | 'cycle' | 'reset' | 'diagnostic' | 'soft';

/** What hangs on the BMC. The server asks and tells; it remembers nothing of it. */
export interface BmcChassis {
  status(): { on: boolean };
  /** Not called by a BMC that lies 'deaf'. The BMC answers when this resolves; a rejection becomes completion code FFh. */
  control(action: BmcControl): void | Promise<void>;
  /** The boot device for the next boot, or for all; null = back to the boot order. Using it up is the machine's matter. */
  setBoot(boot: BootOverride | null): void;
}

export interface CommandSurroundings {
  chassis: BmcChassis;
  suites: readonly CipherSuite[];
  hasKg: boolean;
  guid: Buffer;
  boot: BootParameters;
  table: SessionTable;
  faults: BmcFaults;
}

export interface CommandAnswer {
  completion: number;
  data: Buffer;
  /** The session ends with this answer. */
  closes?: boolean;
}

interface BmcCommand {
  /** Bytes of request data, at least. */
  needs: number;
  /** Level that the session must have; null = also outside of a session. */
  privilege: number | null;
  run(data: Buffer, on: CommandSurroundings, session: BmcSession | null): CommandAnswer | Promise<CommandAnswer>;
}

const COMPLETION = { unknown: 0xc1, tooShort: 0xc7, invalid: 0xcc, forbidden: 0xd4, unspecified: 0xff } as const;
const BOOT_PARAMETER_UNKNOWN = 0x80;
const PRIVILEGE_UNAVAILABLE = 0x81;
const SESSION_UNKNOWN = 0x87;

const done = (...bytes: number[]): CommandAnswer => ({ completion: 0, data: Buffer.from(bytes) });
const refuse = (completion: number): CommandAnswer => ({ completion, data: Buffer.alloc(0) });

/** LAN channel number that we give ourselves; 0Eh asks for "this one". */
const CHANNEL = 1;
const CONTROLS: readonly (BmcControl | undefined)[] = ['off', 'on', 'cycle', 'reset', 'diagnostic', 'soft'];

async function control(data: Buffer, on: CommandSurroundings): Promise<CommandAnswer> {
  const action = CONTROLS[(data[0] ?? 0) & 0x0f];
  if (action === undefined) return refuse(COMPLETION.invalid);
  if (on.faults.lies === 'deaf') return done();
  // A power cycle of what is off is refused in IPMI; everything else may come in any state.
  if (action === 'cycle' && !on.chassis.status().on) return refuse(0xd5);
  await on.chassis.control(action);
  if (action === 'on' || action === 'cycle' || action === 'reset') forgetOneBoot(on.boot);
  return done();
}

function setPrivilege(data: Buffer, session: BmcSession | null): CommandAnswer {
  const wanted = (data[0] ?? 0) & 0x0f;
  if (session?.login === null || session === null) return refuse(COMPLETION.forbidden);
  if (wanted > session.login.limit || wanted === 1) return refuse(PRIVILEGE_UNAVAILABLE);
  if (wanted !== 0) session.privilege = wanted;
  return done(session.privilege);
}

function setBoot(data: Buffer, on: CommandSurroundings): CommandAnswer {
  const outcome = setBootParameter(on.boot, (data[0] ?? 0) & 0x7f, data.subarray(1));
  if (outcome === 'unknown') return refuse(BOOT_PARAMETER_UNKNOWN);
  if (outcome === 'wrong length') return refuse(COMPLETION.tooShort);
  if (outcome.boot !== undefined) on.chassis.setBoot(outcome.boot);
  return done();
}

function getBoot(data: Buffer, on: CommandSurroundings): CommandAnswer {
  const selector = (data[0] ?? 0) & 0x7f;
  const value = getBootParameter(on.boot, selector);
  return value === null ? refuse(BOOT_PARAMETER_UNKNOWN) : done(0x01, selector, ...value);
}

function channelCapabilities(data: Buffer, on: CommandSurroundings): CommandAnswer {
  const extended = ((data[0] ?? 0) & 0x80) !== 0;
  // No IPMI 1.5 logins; users have names; whether a K_g is set.
  return done(CHANNEL, extended ? 0x80 : 0, 0x04 | (on.hasKg ? 0x20 : 0), extended ? 0x02 : 0x01, 0, 0, 0, 0);
}

function cipherSuites(data: Buffer, on: CommandSurroundings): CommandAnswer {
  const from = ((data[2] ?? 0) & 0x3f) * LIST_CHUNK;
  return done(CHANNEL, ...encodeCipherList(on.suites).subarray(from, from + LIST_CHUNK));
}

function sessionInfo(on: CommandSurroundings, session: BmcSession | null): CommandAnswer {
  const active = [...on.table.values()].filter((each) => each.keys !== null).length;
  if (session === null) return done(0, 16, active);
  const [address = '', port = '0'] = session.peer.split(/:(?=\d+$)/);
  const ip = address.split('.').map(Number);
  const portNumber = Number(port);
  const mac = [0, 0, 0, 0, 0, 0];
  const peer = [...(ip.length === 4 ? ip : [0, 0, 0, 0]), ...mac, portNumber & 0xff, portNumber >> 8];
  return done(1, 16, active, 1, session.privilege, 0x10 | CHANNEL, ...peer);
}

function closeSession(data: Buffer, on: CommandSurroundings, session: BmcSession | null): CommandAnswer {
  const id = data.readUInt32LE(0);
  if (session === null || (id !== session.id && !(on.table.has(id) && session.privilege >= PRIVILEGE.ADMIN))) {
    return refuse(SESSION_UNKNOWN);
  }
  if (id !== session.id) on.table.delete(id);
  return { ...done(), closes: id === session.id };
}

const key = (netFn: number, command: number) => netFn * 256 + command;
const { USER, OPERATOR } = PRIVILEGE;

const COMMANDS: ReadonlyMap<number, BmcCommand> = new Map<number, BmcCommand>([
  // Device 20h, IPMI 2.0, a chassis device of no particular maker.
  [
    key(NETFN.app, 0x01),
    { needs: 0, privilege: USER, run: () => done(0x20, 1, 1, 0, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0) },
  ],
  // Self-test: no error.
  [key(NETFN.app, 0x04), { needs: 0, privilege: USER, run: () => done(0x55, 0) }],
  [key(NETFN.app, 0x08), { needs: 0, privilege: USER, run: (_, on) => done(...on.guid) }],
  [key(NETFN.app, 0x37), { needs: 0, privilege: null, run: (_, on) => done(...on.guid) }],
  [key(NETFN.app, 0x38), { needs: 2, privilege: null, run: channelCapabilities }],
  [key(NETFN.app, 0x3b), { needs: 1, privilege: USER, run: (data, _, session) => setPrivilege(data, session) }],
  [key(NETFN.app, 0x3c), { needs: 4, privilege: USER, run: closeSession }],
  [key(NETFN.app, 0x3d), { needs: 1, privilege: USER, run: (_, on, session) => sessionInfo(on, session) }],
  // Channel info: 802.3 LAN, IPMB protocol, session based.
  [
    key(NETFN.app, 0x42),
    { needs: 1, privilege: USER, run: () => done(CHANNEL, 0x04, 0x01, 0x80, 0xf2, 0x1b, 0, 0, 0) },
  ],
  [key(NETFN.app, 0x54), { needs: 3, privilege: null, run: cipherSuites }],
  [key(NETFN.chassis, 0x00), { needs: 0, privilege: USER, run: () => done(0, 0x20, 0x20, 0x20, 0x20) }],
  [key(NETFN.chassis, 0x01), { needs: 0, privilege: USER, run: (_, on) => chassisStatus(on) }],
  [key(NETFN.chassis, 0x02), { needs: 1, privilege: OPERATOR, run: control }],
  // Identify: there is no lamp to light.
  [key(NETFN.chassis, 0x04), { needs: 0, privilege: OPERATOR, run: () => done() }],
  [key(NETFN.chassis, 0x08), { needs: 1, privilege: OPERATOR, run: setBoot }],
  [key(NETFN.chassis, 0x09), { needs: 3, privilege: OPERATOR, run: getBoot }],
]);

function chassisStatus(on: CommandSurroundings): CommandAnswer {
  const { lies } = on.faults;
  const isOn = lies === 'on' || lies === 'off' ? lies === 'on' : on.chassis.status().on;
  return done(isOn ? 0x01 : 0x00, 0x00, 0x00);
}

export const isChassisControl = (request: IpmiRequest) => request.netFn === NETFN.chassis && request.command === 0x02;

/** What the BMC answers to a request, in a session or outside of one. Never rejects. */
export async function runCommand(
  request: IpmiRequest,
  on: CommandSurroundings,
  session: BmcSession | null,
): Promise<CommandAnswer> {
  const command = COMMANDS.get(key(request.netFn, request.command));
  if (command === undefined) return refuse(COMPLETION.unknown);
  if (command.privilege !== null && (session === null || session.privilege < command.privilege)) {
    return refuse(COMPLETION.forbidden);
  }
  if (request.data.length < command.needs) return refuse(COMPLETION.tooShort);
  try {
    return await command.run(request.data, on, session);
  } catch {
    // What hangs on the BMC failed; the console learns no more from a real one either.
    return refuse(COMPLETION.unspecified);
  }
}
