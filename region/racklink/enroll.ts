import { EnrollRequest } from '@ingot/contract/rack.ts';
import type { FastifyInstance } from 'fastify';
import type { RegionDeps } from '../deps.ts';
import { forgetRackKey, readPublicKey } from './rack-keys.ts';
import { findRack, saveRack, spendRackToken } from './rack-rows.ts';

const RACK_ID = /^[A-Za-z0-9_-]{1,64}$/;
const RACK_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export type Enrolment = { ok: true } | { ok: false; code: string; message: string; fix: string };

/** What every way of enrolling asks of a rack's id, name and key. */
export function checkEnrolment(rack: { id: string; name: string; publicKey: string }): Enrolment {
  if (!RACK_ID.test(rack.id) || !RACK_NAME.test(rack.name)) {
    return {
      ok: false,
      code: 'rack.bad_name',
      message: 'Rack id or name is not usable.',
      fix: 'Use letters, digits, "-", "_" and ".".',
    };
  }
  if (!readPublicKey(rack.publicKey)) {
    return {
      ok: false,
      code: 'rack.bad_key',
      message: 'The public key is not Ed25519 in SPKI DER, base64.',
      fix: 'Remove DIR/rack/identity and start the rack again.',
    };
  }
  return { ok: true };
}

/** POST /rack/v1/enroll: a remote rack shows its one-time token and leaves its public key. */
export function registerEnrolment(app: FastifyInstance, deps: RegionDeps): void {
  app.post('/rack/v1/enroll', { bodyLimit: 16_384 }, async (request, reply) => {
    const body = EnrollRequest.safeParse(request.body);
    if (!body.success) {
      return reply
        .code(400)
        .send({ code: 'request.invalid', message: body.error.message, fix: 'See contract/rack.ts.' });
    }
    const { token, rack: id, name, publicKey } = body.data;
    const checked = checkEnrolment({ id, name, publicKey });
    if (!checked.ok) return reply.code(400).send(checked);
    const known = await findRack(deps.db, id);
    // The answer to an enrolment may be lost; asking again with the same key changes nothing.
    if (known?.publicKey === publicKey) return reply.code(204).send();
    if (known) {
      return reply.code(409).send({
        code: 'rack.known',
        message: `A rack ${id} with another key is enrolled.`,
        fix: 'Remove DIR/rack/identity on the new rack so that it makes its own id.',
      });
    }
    if (!(await spendRackToken(deps.db, token))) {
      return reply.code(403).send({
        code: 'rack.bad_token',
        message: 'The enrolment token is unknown, used or older than 24 hours.',
        fix: 'Make a new one on the region: ingot rack token',
      });
    }
    await saveRack(deps.db, { id, name, publicKey });
    forgetRackKey(deps.db, id);
    return reply.code(204).send();
  });
}
