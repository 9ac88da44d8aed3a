import { findTokens, type TokenKeys, useNonces } from '../accounts/api-tokens.ts';
import { sessionUser } from '../accounts/sessions.ts';
import type { User } from '../accounts/users.ts';
import type { RegionDeps } from '../deps.ts';
import { batched } from '../store/batched.ts';
import type { Person } from './table.ts';
import type { Identities } from './wire/authenticate.ts';

const personOf = (user: User): Person => ({ id: user.id, name: user.username, admin: user.isAdmin });

/** Every request asks twice, so those that arrive together ask together. */
const TOGETHER = { size: 64, atOnce: 1 };

/** Keys, nonces and sessions of the region's accounts. */
export function regionIdentities(deps: RegionDeps): Identities {
  const token = batched(TOGETHER, (pairs: readonly TokenKeys[]) => findTokens(deps, pairs));
  const nonce = batched(TOGETHER, (used: readonly (TokenKeys & { nonce: string })[]) => useNonces(deps, used));
  return {
    async token(consumerKey, tokenKey) {
      const found = await token({ consumerKey, tokenKey });
      return found === null ? null : { person: personOf(found.user), secret: found.secret };
    },
    useNonce: (consumerKey, tokenKey, value) => nonce({ consumerKey, tokenKey, nonce: value }),
    async session(id) {
      const user = await sessionUser(deps, id);
      return user === null ? null : personOf(user);
    },
  };
}
