import { ApiError, NATIVE_BASE } from '@ingot/contract/native.ts';
import * as z from 'zod';
import type { Route } from './route.ts';

type Json = Record<string, unknown>;

const ERRORS: Record<string, string> = {
  '400': 'Bad input; field names what is wrong',
  '401': 'No or wrong credentials',
  '403': 'Not allowed, or the machine is locked',
  '404': 'No such thing, or not to be seen by the caller',
  '409': 'Refused in the present state',
  '429': 'Too many tries; Retry-After says when',
  '503': 'Something that is needed is away or used up',
};

/** OpenAPI 3.1 of the routes that serve. The same table, so document and server cannot drift apart. */
export function openApiOf(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Ingot native API',
      version,
      description: 'Spoken by the web console and the command line. Errors are always {code, message, field, fix}.',
    },
    servers: [{ url: NATIVE_BASE }],
    security: [{ apiKey: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: 'An API key: consumer:token:secret' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: 'ingot_session',
          description: 'From login; changes need the header x-ingot-csrf: 1 or a JSON body',
        },
      },
      schemas: { ApiError: schemaOf(ApiError, 'output') },
      responses: Object.fromEntries(
        Object.entries(ERRORS).map(([status, description]) => [
          `Error${status}`,
          { description, content: { 'application/json': { schema: { $ref: '#/components/schemas/ApiError' } } } },
        ]),
      ),
    },
  };
}

function operationOf(route: Route): Json {
  const parameters = [...parametersOf(route.params, 'path'), ...parametersOf(route.query, 'query')];
  return {
    operationId: route.operation,
    summary: route.summary,
    'x-ingot-access': route.access,
    ...(route.access === 'anyone' ? { security: [] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body
      ? { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(route.body, 'input') } } } }
      : {}),
    ...(route.takesBytes
      ? {
          requestBody: {
            required: true,
            content: { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } },
          },
        }
      : {}),
    responses: { ...answerOf(route), ...errorsOf(route) },
  };
}

function answerOf(route: Route): Json {
  if (route.answer === null) return { '204': { description: 'Done' } };
  if (typeof route.answer === 'string') {
    return { '200': { description: 'Done', content: { [route.answer]: { schema: { type: 'string' } } } } };
  }
  return {
    '200': { description: 'Done', content: { 'application/json': { schema: schemaOf(route.answer, 'output') } } },
  };
}

function errorsOf(route: Route): Json {
  const statuses = ['503'];
  if (route.access !== 'anyone') statuses.push('401', '403');
  if (route.params || route.query || route.body || route.takesBytes) statuses.push('400');
  if (route.params) statuses.push('404');
  if (route.method !== 'GET') statuses.push('409');
  if (route.path === '/login') statuses.push('401', '429');
  return Object.fromEntries(statuses.sort().map((one) => [one, { $ref: `#/components/responses/Error${one}` }]));
}

function parametersOf(schema: z.ZodType | undefined, place: 'path' | 'query'): Json[] {
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape).map(([name, shape]) => ({
    name,
    in: place,
    required: place === 'path',
    schema: schemaOf(shape as z.ZodType, 'input'),
  }));
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return json;
}
