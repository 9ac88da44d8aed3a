import { stringify } from 'yaml';
import { API_PREFIX, type Description } from './describe.ts';
import { MAAS_VERSION } from './version.ts';

/** OpenAPI 3.1 of the served operations. `op` is part of the path key, since OpenAPI knows one operation per method. */
export function openApiYaml(description: Description): string {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const handler of description.handlers) {
    for (const action of handler.actions) {
      const key = handler.path.slice(API_PREFIX.length - 1) + (action.op === null ? '' : `op-${action.op}`);
      const parameters = handler.params.map((name) => ({
        name,
        in: 'path',
        required: true,
        schema: { type: 'string' },
      }));
      paths[key] = {
        ...paths[key],
        [action.method.toLowerCase()]: {
          operationId: `${handler.name}_${action.name}`,
          summary: action.doc.split('\n')[0],
          description: action.doc.trim(),
          parameters,
          responses: { default: { description: 'See the reference of the operation.' } },
        },
      };
    }
  }
  return stringify({
    openapi: '3.1.0',
    info: { title: description.doc, version: MAAS_VERSION },
    servers: [{ url: API_PREFIX.replace(/\/$/, '') }],
    paths,
  });
}
