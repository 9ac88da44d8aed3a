import { findToken, useNonce } from '../accounts/api-tokens.ts';
import { sessionUser } from '../accounts/sessions.ts';
import type { User } from '../accounts/users.ts';
import type { RegionDeps } from '../deps.ts';
import type { Person } from './table.ts';
import type { Identities } from './wire/authenticate.ts';

const personOf = (user: User): Person => ({ id: user.id, name: user.username, admin: user.isAdmin });

/** Keys, nonces and sessions of the region's accounts. */
export function regionIdentities(deps: RegionDeps): Identities {
  return {
    async token(consumerKey, tokenKey) {
      const found = await findToken(deps, consumerKey, tokenKey);
      return found === null ? null : { person: personOf(found.user), secret: found.secret };
    },
    useNonce: (consumerKey, tokenKey, nonce) => useNonce(deps, consumerKey, tokenKey, nonce),
    async session(id) {
      const user = await sessionUser(deps, id);
      return user === null ? null : personOf(user);
    },
  };
}
