import { createHash } from 'node:crypto';
import type { HandlerSpec, Operation, Resource } from './table.ts';

export const API_PREFIX = '/MAAS/api/2.0/';

interface ActionDescription {
  doc: string;
  method: string;
  name: string;
  op: string | null;
  restful: boolean;
}

interface HandlerDescription {
  actions: ActionDescription[];
  doc: string;
  name: string;
  params: string[];
  path: string;
}

interface ResourceDescription {
  anon: HandlerDescription | null;
  auth: HandlerDescription | null;
  name: string;
}

export interface Description {
  doc: string;
  handlers: HandlerDescription[];
  hash: string;
  resources: ResourceDescription[];
}

/** The self-description of api-2.0-conventions §10, without the absolute `uri`s; made once from the table that serves. */
export function describeTable(table: readonly Resource[]): Description {
  const resources = table
    .map((resource): ResourceDescription => {
      const path = API_PREFIX + (resource.paths.at(-1) ?? '');
      return {
        anon: resource.anon === null ? null : describeHandler(resource.anon, path),
        auth: resource.auth === null ? null : describeHandler(resource.auth, path),
        name: resource.auth?.name ?? resource.anon?.name ?? '',
      };
    })
    .sort(byName);
  const handlers = [
    ...resources.flatMap((resource) => (resource.anon === null ? [] : [resource.anon])),
    ...resources.flatMap((resource) => (resource.auth === null ? [] : [resource.auth])),
  ];
  const body = { doc: 'MAAS API', handlers, resources };
  return { doc: body.doc, handlers, hash: hashOf(body), resources };
}

/** The document as served: `uri` depends on how the client reached us. `origin` like `http://host:5240`. */
export function describeFor(description: Description, origin: string): string {
  const withUri = (handler: HandlerDescription | null) =>
    handler === null ? null : { ...handler, uri: origin + handler.path };
  return JSON.stringify({
    ...description,
    resources: description.resources.map((resource) => ({
      anon: withUri(resource.anon),
      auth: withUri(resource.auth),
      name: resource.name,
    })),
  });
}

function describeHandler(handler: HandlerSpec, path: string): HandlerDescription {
  return {
    actions: handler.operations.map(describeAction).sort(byName),
    doc: handler.doc,
    name: handler.name,
    params: [...path.matchAll(/\{([a-z_]+)\}/g)].map((match) => match[1] ?? ''),
    path,
  };
}

function describeAction(operation: Operation): ActionDescription {
  return {
    doc: operation.doc,
    method: operation.method,
    name: operation.name,
    op: operation.op,
    restful: operation.op === null,
  };
}

/** SHA-1 over a canonical form: maps as sorted (key, value) pairs, lists sorted, ASCII JSON. Clients compare equality only. */
function hashOf(value: unknown): string {
  return createHash('sha1')
    .update(asciiJson(canonical(value)))
    .digest('hex');
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical).sort((a, b) => compare(asciiJson(a), asciiJson(b)));
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value)
      .sort(([a], [b]) => compare(a, b))
      .map(([key, item]) => [key, canonical(item)]);
  }
  return value;
}

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const byName = (a: { name: string }, b: { name: string }): number => compare(a.name, b.name);
