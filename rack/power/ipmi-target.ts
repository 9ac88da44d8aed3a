import { readFile } from 'node:fs/promises';
import { parseBmcAddress } from '@ingot/protocols/ipmi/address.ts';
import type { Privilege } from '@ingot/protocols/ipmi/privilege.ts';
import type { IpmiTarget } from '@ingot/protocols/ipmi/session.ts';
import { cipherSuite } from '@ingot/protocols/ipmi/suite.ts';
import { type Parameters, PowerFailure } from './driver.ts';

const PRIVILEGES: readonly Privilege[] = ['USER', 'OPERATOR', 'ADMIN'];

/** MAAS's parameter names → what the client wants. Throws PowerFailure('setting') naming the field. */
export async function ipmiTarget(parameters: Parameters): Promise<IpmiTarget> {
  const text = (name: string) => parameters[name]?.trim() ?? '';
  const bad = (name: string, why: string) => new PowerFailure('setting', `${name} ${why}`);
  if (text('power_driver') === 'LAN') throw bad('power_driver', 'LAN (IPMI 1.5) is not spoken; use LAN_2_0');
  const address = text('power_address') || (await addressOfMac(text('mac_address')));
  if (address === '') throw bad('power_address', 'is empty');
  const where = parseBmcAddress(address);
  if (where === null) throw bad('power_address', `is not an address or host name, with or without a port: ${address}`);
  const suiteId = text('cipher_suite_id');
  // A suite that was written down is kept to; nobody's choice is the best that both ends have.
  const suite = suiteId === '' ? 'best' : cipherSuite(Number(suiteId));
  if (suite === null) throw bad('cipher_suite_id', `${suiteId} is not spoken; use 3, 17 or none (the best of both)`);
  const level = text('privilege_level') || 'OPERATOR';
  const privilege = PRIVILEGES.find((each) => each === level);
  if (!privilege) throw bad('privilege_level', `is none of USER, OPERATOR, ADMIN: ${level}`);
  const flags = new Set((parameters.workaround_flags ?? 'opensesspriv').split(/[\s,[\]"']+/));
  return {
    ...where,
    user: text('power_user'),
    // Blanks at the ends may belong to a password.
    password: parameters.power_pass ?? '',
    kg: bmcKey(parameters.k_g ?? ''),
    suite,
    privilege,
    opensesspriv: flags.has('opensesspriv'),
    authcap: flags.has('authcap'),
    idzero: flags.has('idzero'),
    ignoreChecksums: flags.has('nochecksumcheck'),
  };
}

/** Text of up to 20 bytes, or 0x and 40 hex digits. */
function bmcKey(text: string): Buffer | null {
  if (text === '') return null;
  if (/^0x[0-9a-fA-F]{40}$/.test(text)) return Buffer.from(text.slice(2), 'hex');
  const key = Buffer.from(text);
  if (key.length > 20) throw new PowerFailure('setting', 'k_g is longer than 20 bytes');
  return key;
}

/** Who holds this MAC by the kernel's ARP table; empty when nobody is known. */
async function addressOfMac(mac: string): Promise<string> {
  if (mac === '') return '';
  const table = await readFile('/proc/net/arp', 'utf8').catch(() => '');
  const line = table.split('\n').find((each) => each.toLowerCase().includes(` ${mac.toLowerCase()} `));
  return line?.split(/\s+/)[0] ?? '';
}
