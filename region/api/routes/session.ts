import { ApiKey, ApiKeyRequest, LoginRequest, UserRequest, UserView, WhoAmI } from '@ingot/contract/native.ts';
import * as z from 'zod';
import { createToken, formatToken } from '../../accounts/api-tokens.ts';
import { createSession, endSession } from '../../accounts/sessions.ts';
import { createUser, findUser, verifyLogin } from '../../accounts/users.ts';
import { cookieOf, SESSION_COOKIE, sessionCookie } from '../authenticate.ts';
import { failureFor, noSuch } from '../failure.ts';
import type { NativeParts } from '../parts.ts';
import { usersOf } from '../read/users.ts';
import { type Route, route, signedIn } from '../route.ts';

export function sessionRoutes(parts: NativeParts): Route[] {
  return [
    route(
      {
        method: 'POST',
        path: '/login',
        operation: 'login',
        summary: 'Start a session: sets a cookie',
        access: 'anyone',
        body: LoginRequest,
        answer: null,
      },
      async ({ deps, body, request, reply }) => {
        // By address and by name: many addresses on one account are slowed as well as one address on many.
        const keys = [`address ${request.ip}`, `name ${body.username}`];
        const wait = Math.max(...keys.map((key) => parts.logins.waitSeconds(key, Date.now())));
        if (wait > 0) {
          throw failureFor('auth.too_many', { seconds: wait }, { retryAfterSeconds: wait });
        }
        // Counted before the check, so that guesses sent at once count too.
        for (const key of keys) parts.logins.failed(key, Date.now());
        const user = await verifyLogin(deps, body.username, body.password);
        if (!user) {
          throw failureFor('auth.wrong');
        }
        for (const key of keys) parts.logins.passed(key);
        const session = await createSession(deps, user.id);
        const seconds = Math.max(1, Math.floor((session.expires.getTime() - Date.now()) / 1000));
        reply.header('set-cookie', sessionCookie(session.id, seconds, request.protocol === 'https'));
        return undefined;
      },
    ),
    route(
      {
        method: 'POST',
        path: '/logout',
        operation: 'logout',
        summary: 'End the session of the cookie',
        access: 'user',
        answer: null,
      },
      async ({ deps, request, reply }) => {
        const sessionId = cookieOf(request.headers.cookie, SESSION_COOKIE);
        if (sessionId !== null) await endSession(deps, sessionId);
        reply.header('set-cookie', sessionCookie('', 0, request.protocol === 'https'));
        return undefined;
      },
    ),
    route(
      {
        method: 'GET',
        path: '/whoami',
        operation: 'whoami',
        summary: 'Who the caller is',
        access: 'user',
        answer: WhoAmI,
      },
      async ({ principal }) => {
        const who = signedIn(principal);
        return { username: who.username, admin: who.admin };
      },
    ),
    route(
      {
        method: 'GET',
        path: '/users',
        operation: 'listUsers',
        summary: 'Everybody who can log in',
        access: 'admin',
        answer: z.array(UserView),
      },
      ({ deps }) => usersOf(deps.db),
    ),
    route(
      {
        method: 'POST',
        path: '/users',
        operation: 'createUser',
        summary: 'Make an account',
        access: 'admin',
        body: UserRequest,
        answer: WhoAmI,
      },
      async ({ deps, body }) => {
        const user = await createUser(deps, {
          username: body.username,
          password: body.password,
          email: body.email,
          isAdmin: body.admin,
        });
        return { username: user.username, admin: user.isAdmin };
      },
    ),
    route(
      {
        method: 'POST',
        path: '/users/:name/api-keys',
        operation: 'createApiKey',
        summary: 'Make an API key; it is shown once. Others than administrators make their own only',
        access: 'user',
        params: z.object({ name: z.string().max(150) }),
        body: ApiKeyRequest,
        answer: ApiKey,
      },
      async ({ deps, principal, params, body }) => {
        const who = signedIn(principal);
        if (!who.admin && params.name !== who.username) {
          throw failureFor('perm.missing', {}, { message: 'Only an administrator makes keys for others.' });
        }
        const user = await findUser(deps, params.name);
        if (!user) throw noSuch('user', params.name);
        return { key: formatToken(await createToken(deps, user.id, body.name)) };
      },
    ),
  ];
}
