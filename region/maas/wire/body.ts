import { badRequest } from './errors.ts';
import { readMultipart, type UploadedFile } from './multipart.ts';
import { NO_VALUES, parseUrlEncoded, type Values } from './values.ts';

/** A request body after decoding. `raw` stays for the one operation that takes bytes as they are. */
export interface Body {
  values: Values;
  files: UploadedFile[];
  raw: Buffer;
  /** Parsed from an url-encoded form: OAuth HMAC-SHA1 signs exactly these (RFC 5849 §3.4.1.3.1). */
  urlEncoded: boolean;
}

const EMPTY_BODY: Body = { values: NO_VALUES, files: [], raw: Buffer.alloc(0), urlEncoded: false };

/**
 * Decodes by content type. No content type counts as a form. JSON is flattened into the same values, so an operation
 * works alike whatever form a client chose (a superset of upstream, conventions §6). Other types carry only `raw`.
 */
export async function decodeBody(contentType: string | undefined, raw: Buffer): Promise<Body> {
  if (raw.length === 0) return EMPTY_BODY;
  const type = (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (type === 'multipart/form-data' && contentType !== undefined) {
    const form = await readMultipart(contentType, raw);
    return { values: { pairs: form.pairs }, files: form.files, raw, urlEncoded: false };
  }
  if (type === 'application/json') return { values: flatten(parseJson(raw)), files: [], raw, urlEncoded: false };
  if (type === '' || type === 'application/x-www-form-urlencoded') {
    return { values: parseUrlEncoded(raw.toString('utf8')), files: [], raw, urlEncoded: true };
  }
  return { ...EMPTY_BODY, raw };
}

function parseJson(raw: Buffer): unknown {
  try {
    return JSON.parse(raw.toString('utf8'));
  } catch {
    throw badRequest('Bad Request');
  }
}

function flatten(document: unknown): Values {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return NO_VALUES;
  const pairs: (readonly [string, string])[] = [];
  for (const [name, value] of Object.entries(document)) {
    if (Array.isArray(value)) for (const item of value) pairs.push([name, scalarText(item)]);
    else pairs.push([name, scalarText(value)]);
  }
  return { pairs };
}

function scalarText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
