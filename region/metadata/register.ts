import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RegionDeps } from '../deps.ts';
import { noteDeployed } from '../images/catalogue.ts';
import { readUserData } from '../store/user-data.ts';
import { type Instance, signedInstance } from './instance.ts';
import { parseOauthHeader } from './oauth.ts';
import { readStatus } from './status-event.ts';
import { takeStatus } from './take-status.ts';

const VERSIONS = ['2012-03-01', 'latest'];
const STATUS_BYTES = 1024 * 1024;
const ITEMS = ['instance-id', 'local-hostname', 'public-keys', 'vendor-data', 'x509'];

type Answer = (instance: Instance, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

function text(reply: FastifyReply, code: number, body: string): FastifyReply {
  // As bytes, so that no charset is added.
  return reply.code(code).header('content-type', 'text/plain').send(Buffer.from(body));
}

function unauthorized(reply: FastifyReply): FastifyReply {
  return reply
    .code(401)
    .header('www-authenticate', 'OAuth realm="MAAS"')
    .header('content-type', 'text/plain')
    .send(Buffer.from('Authorization Error: Invalid API key.'));
}

function unknownVersion(request: FastifyRequest, reply: FastifyReply): FastifyReply | null {
  const { version } = request.params as { version?: string };
  if (version === undefined || VERSIONS.includes(version)) return null;
  return text(reply, 404, `Unknown metadata version: ${version}`);
}

/** One item of meta-data; null for one that there is not. */
function metaDataItem(instance: Instance, item: string): { type: string; body: string } | null {
  const plain = (body: string) => ({ type: 'text/plain', body });
  switch (item) {
    case 'instance-id':
      return plain(instance.systemId);
    case 'local-hostname':
      return plain(`${instance.hostname}.${instance.domain}`);
    case 'public-keys':
      return plain(instance.sshKeys.join('\n'));
    case 'x509':
      return plain('');
    case 'vendor-data':
      // Not 404: cloud-init would ask three times. An empty map configures nothing.
      return { type: 'application/x-yaml; charset=utf-8', body: '{}\n' };
    default:
      return null;
  }
}

/**
 * cloud-init's MAAS datasource for deployed machines, and its status webhook. An instance token opens its own machine's
 * data and nothing else, whether the request came through a rack or directly; without one there is nothing to see: the
 * anonymous endpoints that upstream has (by-id, by-mac, netboot_off, enlistment data) give secrets away and do not exist.
 */
export function registerMetadata(app: FastifyInstance, deps: RegionDeps): void {
  const guarded =
    (answer: Answer) =>
    async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const oauth = parseOauthHeader(request.headers.authorization);
      const instance = oauth && (await signedInstance(deps, oauth));
      if (!instance) return unauthorized(reply);
      return unknownVersion(request, reply) ?? answer(instance, request, reply);
    };

  const userData: Answer = async (instance, _request, reply) => {
    // Read first: what could not be read was not handed over.
    const data = await readUserData(deps, instance.systemId);
    const applied = await deps.door.apply(instance.systemId, { type: 'instance-user-data', actor: { kind: 'system' } });
    if (applied.ok && applied.note === undefined) {
      const { osystem, distroSeries, architecture } = instance;
      await noteDeployed(deps.db, { os: osystem, release: distroSeries, arch: architecture.split('/')[0] ?? '' });
    }
    if (data === null) return reply.code(404).send();
    return reply.header('content-type', 'application/octet-stream').send(data);
  };

  const metaData: Answer = async (instance, request, reply) => {
    const { item = '' } = request.params as { item?: string };
    if (item === '') {
      const shown = ITEMS.filter((name) => name !== 'public-keys' || instance.sshKeys.length > 0);
      return text(reply, 200, shown.join('\n'));
    }
    const found = metaDataItem(instance, item);
    if (!found) return text(reply, 404, `Unknown metadata attribute: ${item}`);
    return reply.header('content-type', found.type).send(Buffer.from(found.body));
  };

  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: STATUS_BYTES }, (_request, body, done) => {
      done(null, body);
    });
    // cloud-init joins its URL with one slash too many now and then.
    for (const base of ['/MAAS/metadata', '/MAAS/metadata/']) {
      const versioned = `${base}/:version`;
      const index = guarded(async (_instance, _request, reply) => text(reply, 200, VERSIONS.join('\n')));
      scope.get(`${base}/`, index);
      const versionIndex = guarded(async (_instance, _request, reply) =>
        text(reply, 200, ['meta-data', 'user-data'].join('\n')),
      );
      scope.get(`${versioned}/`, versionIndex);
      scope.get(`${versioned}/meta-data`, guarded(metaData));
      scope.get(`${versioned}/meta-data/`, guarded(metaData));
      scope.get(`${versioned}/meta-data/:item`, guarded(metaData));
      scope.get(`${versioned}/meta-data/:item/*`, guarded(metaData));
      scope.get(`${versioned}/user-data`, guarded(userData));
    }

    scope.post<{ Params: { systemId: string } }>('/MAAS/metadata/status/:systemId', async (request, reply) => {
      const oauth = parseOauthHeader(request.headers.authorization);
      const instance = oauth && (await signedInstance(deps, oauth));
      // Stricter than upstream: the whole signature is checked, and a token speaks for its own machine only.
      if (instance?.systemId !== request.params.systemId) return unauthorized(reply);
      const read = readStatus(Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0));
      if (!read.ok) return text(reply, 400, read.text);
      await takeStatus(deps, instance, read.message);
      return reply.code(204).send();
    });

    const nothing = async (_request: FastifyRequest, reply: FastifyReply) => text(reply, 404, 'Not Found');
    scope.all('/MAAS/metadata/*', nothing);
  });
}
