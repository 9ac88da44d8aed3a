import { type Parameters, PowerFailure } from './driver.ts';
import { pythonPattern } from './python-pattern.ts';

export interface WebhookTarget {
  on: URL;
  off: URL;
  query: URL;
  isOn: RegExp;
  isOff: RegExp;
  /** Authorization header; null when there are no credentials. */
  authorization: string | null;
  verify: boolean;
}

const LONGEST_PATTERN = 1024;

/** MAAS's parameter names → what the driver wants. Throws PowerFailure('setting') naming the field, never its value. */
export function webhookTarget(parameters: Parameters): WebhookTarget {
  const bad = (name: string, why: string) => new PowerFailure('setting', `${name} ${why}`);
  const address = (name: string) => {
    const text = parameters[name]?.trim() ?? '';
    if (text === '') throw bad(name, 'is empty');
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url === null || !/^https?:$/.test(url.protocol)) throw bad(name, 'is no http or https address');
    if (url.username !== '' || url.password !== '')
      throw bad(name, 'carries credentials: power_user and power_pass are for them');
    return url;
  };
  const pattern = (name: string, usual: string) => {
    const text = parameters[name] || usual;
    if (text.length > LONGEST_PATTERN) throw bad(name, `is longer than ${LONGEST_PATTERN} characters`);
    const made = pythonPattern(text);
    if (made === null) throw bad(name, 'is no regular expression');
    return made;
  };
  return {
    on: address('power_on_uri'),
    off: address('power_off_uri'),
    query: address('power_query_uri'),
    isOn: pattern('power_on_regex', 'status.*\\:.*running'),
    isOff: pattern('power_off_regex', 'status.*\\:.*stopped'),
    authorization: authorizationOf(parameters),
    verify: parameters.power_verify_ssl === 'y',
  };
}

/** A token stands in place of user and password. */
function authorizationOf(parameters: Parameters): string | null {
  const { power_token: token = '', power_user: user = '', power_pass: password = '' } = parameters;
  if (token !== '') return `Bearer ${token}`;
  return user === '' ? null : `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
