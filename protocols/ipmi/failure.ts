/**
 * Why an exchange with a BMC failed. `auth` and `setting` will fail the same way again; `connection` and `action` may
 * pass when tried again; `fatal` means the BMC speaks something we do not understand.
 */
export type IpmiFailureClass = 'auth' | 'setting' | 'connection' | 'action' | 'fatal';

/** Messages are the terms that operators know from FreeIPMI ("password invalid", "connection timeout" …). */
export class IpmiFailure extends Error {
  readonly failure: IpmiFailureClass;
  constructor(failure: IpmiFailureClass, message: string) {
    super(message);
    this.name = 'IpmiFailure';
    this.failure = failure;
  }
}

/** What that command is called in messages. */
export const SET_PRIVILEGE = 'set session privilege';
/** Completion code of a command that the session's level does not allow. */
export const PRIVILEGE_INSUFFICIENT = 0xd4;
export const SUITE_UNAVAILABLE = 'cipher suite id unavailable';

/** RMCP+ status codes of Open Session and RAKP replies: IPMI 2.0 table 13-15. */
export function statusFailure(status: number): IpmiFailure {
  switch (status) {
    case 0x01:
      return new IpmiFailure('connection', 'BMC busy: no free session');
    case 0x04:
    case 0x05:
    case 0x10:
    case 0x11:
      return new IpmiFailure('setting', SUITE_UNAVAILABLE);
    case 0x09:
    case 0x0a:
      return new IpmiFailure('auth', 'privilege level cannot be obtained for this user');
    case 0x0d:
      return new IpmiFailure('auth', 'username invalid');
    case 0x0f:
      return new IpmiFailure('auth', 'password invalid');
    case 0x02:
      return new IpmiFailure('connection', 'session timeout');
    default:
      return new IpmiFailure('fatal', `BMC refused the session, RMCP+ status 0x${hex(status)}`);
  }
}

/** Completion codes of commands: IPMI 2.0 table 5-2. `what` names the command for the reader. */
export function completionFailure(code: number, what: string): IpmiFailure {
  // Codes of Set Session Privilege alone (IPMI 2.0 §22.18).
  if (what === SET_PRIVILEGE && code >= 0x80 && code <= 0x82) {
    return new IpmiFailure('auth', 'privilege level cannot be obtained for this user');
  }
  switch (code) {
    case 0xc0:
    case 0xc3:
      return new IpmiFailure('connection', `BMC busy (${what})`);
    case PRIVILEGE_INSUFFICIENT:
      return new IpmiFailure('auth', `privilege level insufficient (${what})`);
    case 0xc1:
      return new IpmiFailure('action', `BMC does not know the command (${what})`);
    case 0xcc:
      return new IpmiFailure('action', `BMC calls the request invalid (${what})`);
    case 0xd5:
      return new IpmiFailure('action', `not supported in the present state (${what})`);
    default:
      return new IpmiFailure('action', `BMC error, completion code 0x${hex(code)} (${what})`);
  }
}

const hex = (byte: number) => byte.toString(16).padStart(2, '0');
