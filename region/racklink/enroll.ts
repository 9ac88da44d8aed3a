import { EnrollRequest } from '@ingot/contract/rack.ts';
import { refusal } from '@ingot/core/machine/catalogue.ts';
import type { Refusal } from '@ingot/core/machine/model.ts';
import type { FastifyInstance } from 'fastify';
import type { RegionDeps } from '../deps.ts';
import { forgetRackKey, readPublicKey } from './rack-keys.ts';
import { findRack, saveRack, spendRackToken } from './rack-rows.ts';

const RACK_ID = /^[A-Za-z0-9_-]{1,64}$/;
const RACK_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export type Enrolment = { ok: true } | ({ ok: false } & Refusal);

/** What every way of enrolling asks of a rack's id, name and key. */
export function checkEnrolment(rack: { id: string; name: string; publicKey: string }): Enrolment {
  if (!RACK_ID.test(rack.id) || !RACK_NAME.test(rack.name)) {
    return { ok: false, ...refusal('rack.bad_name') };
  }
  if (!readPublicKey(rack.publicKey)) {
    return { ok: false, ...refusal('rack.bad_key') };
  }
  return { ok: true };
}

/** POST /rack/v1/enroll: a remote rack shows its one-time token and leaves its public key. */
export function registerEnrolment(app: FastifyInstance, deps: RegionDeps): void {
  app.post('/rack/v1/enroll', { bodyLimit: 16_384 }, async (request, reply) => {
    const body = EnrollRequest.safeParse(request.body);
    if (!body.success) {
      return reply.code(400).send(refusal('input.invalid', {}, { message: body.error.message.slice(0, 2000) }));
    }
    const { token, rack: id, name, publicKey } = body.data;
    const checked = checkEnrolment({ id, name, publicKey });
    if (!checked.ok) return reply.code(400).send(checked);
    const known = await findRack(deps.db, id);
    // The answer to an enrolment may be lost; asking again with the same key changes nothing.
    if (known?.publicKey === publicKey) return reply.code(204).send();
    if (known) {
      return reply.code(409).send(refusal('rack.known', { rack: id }));
    }
    if (!(await spendRackToken(deps.db, token))) {
      return reply.code(403).send(refusal('rack.bad_token'));
    }
    await saveRack(deps.db, { id, name, publicKey });
    forgetRackKey(deps.db, id);
    return reply.code(204).send();
  });
}
