import type { LoginLimit } from './login-limit.ts';
import type { TypicalTimes } from './read/typical.ts';
import type { StreamHub } from './stream/hub.ts';

/** What the routes share within one server, made once at registration. */
export interface NativeParts {
  typical: TypicalTimes;
  logins: LoginLimit;
  hub: StreamHub;
}
