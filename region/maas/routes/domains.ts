import type { Selectable } from 'kysely';
import type { DomainsTable } from '../../store/schema.ts';
import { API_PREFIX } from '../describe.ts';
import { crud, json, type Resource, type UserCall } from '../table.ts';
import { noMatch } from '../wire/errors.ts';
import type { Json } from '../wire/json.ts';

const domainObject = (domain: Selectable<DomainsTable>): Json => ({
  id: domain.id,
  name: domain.name,
  ttl: domain.ttl,
  authoritative: domain.authoritative,
  resource_record_count: 0,
  is_default: domain.id === 0,
  resource_uri: `${API_PREFIX}domains/${domain.id}/`,
});

/** By id or by name. */
async function read(call: UserCall): Promise<Json> {
  const key = call.path.id ?? '';
  const query = call.deps.db.selectFrom('domains').selectAll();
  const domain = /^\d{1,9}$/.test(key)
    ? await query.where('id', '=', Number(key)).executeTakeFirst()
    : await query.where('name', '=', key).executeTakeFirst();
  if (domain === undefined) throw noMatch('Domain');
  return domainObject(domain);
}

export const domainRoutes: readonly Resource[] = [
  {
    paths: ['domains/'],
    anon: null,
    auth: {
      name: 'DomainsHandler',
      doc: 'DNS domains.',
      operations: [
        crud('GET', 'user', { title: 'List domains' }, async (call) =>
          json((await call.deps.db.selectFrom('domains').selectAll().orderBy('id').execute()).map(domainObject)),
        ),
      ],
    },
  },
  {
    paths: ['domains/{id}/'],
    anon: null,
    auth: {
      name: 'DomainHandler',
      doc: 'One DNS domain.',
      operations: [crud('GET', 'user', { title: 'Read a domain' }, async (call) => json(await read(call)))],
    },
  },
];
