/** Messages by form field; messages about the whole form stand under `__all__`. */
export type FieldErrors = Record<string, string[]>;

/**
 * An answer other than success, in the shapes of api-2.0-conventions §8: a plain text, or for form validation a JSON map
 * of field to messages. An Error because handlers throw it from any depth; the router is the only one who catches it.
 */
export class MaasError extends Error {
  readonly status: number;
  readonly body: string | FieldErrors;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, body: string | FieldErrors, headers: Record<string, string> = {}) {
    super(typeof body === 'string' ? body : JSON.stringify(body));
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

export const badRequest = (text: string): MaasError => new MaasError(400, text);
export const invalidForm = (fields: FieldErrors): MaasError => new MaasError(400, fields);
export const invalidField = (field: string, message: string): MaasError => new MaasError(400, { [field]: [message] });
export const forbidden = (text: string): MaasError => new MaasError(403, text);
export const notFound = (text: string): MaasError => new MaasError(404, text);
/** `model` as clients match it: `No Machine matches the given query.` */
export const noMatch = (model: string): MaasError => new MaasError(404, `No ${model} matches the given query.`);
export const conflict = (text: string): MaasError => new MaasError(409, text);
export const unavailable = (text: string): MaasError => new MaasError(503, text, { 'retry-after': '10' });
export const missingParameter = (name: string): MaasError => new MaasError(400, `No provided ${name}!`);

export const PERMISSION_DENIED = 'You do not have permission to perform this action.';
export const REQUIRED = 'This field is required.';

/** Collects form errors so that a client sees all of them at once. */
export interface FormErrors {
  add(field: string, message: string): void;
  /** Throws 400 when anything was added. */
  throwIfAny(): void;
}

export function collectErrors(): FormErrors {
  const fields: FieldErrors = {};
  return {
    add(field, message) {
      const list = fields[field] ?? [];
      list.push(message);
      fields[field] = list;
    },
    throwIfAny() {
      if (Object.keys(fields).length > 0) throw invalidForm(fields);
    },
  };
}
