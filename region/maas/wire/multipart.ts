import busboy from 'busboy';
import { badRequest } from './errors.ts';
import { decodeTransfer } from './transfer.ts';

export interface UploadedFile {
  field: string;
  filename: string;
  bytes: Buffer;
}

export interface MultipartForm {
  pairs: (readonly [string, string])[];
  files: UploadedFile[];
}

/** Line ends between the boundaries of an empty form, and the closing boundary (RFC 2046: at most 70 characters). */
const LONGEST_BLANK = 80;

/** Far above any real client (an allocate names some dozens of parameters), far below what could hurt. */
const MOST_PARTS = 10_000;

/**
 * Reads a whole multipart body. A part is a file only if it has a filename: python-libmaas sends plain fields as
 * application/octet-stream. Tolerated because clients send it (clients.md §1.3): no parts at all, a missing final CRLF,
 * bare LF line ends. Throws 400 for a body without its boundary.
 */
export async function readMultipart(contentType: string, body: Buffer): Promise<MultipartForm> {
  const boundary = boundaryOf(contentType);
  if (boundary === null) throw badRequest('Bad Request: multipart body without boundary.');
  const text = normalise(body, boundary);
  if (text === null) return { pairs: [], files: [] };
  return await parse(contentType, text);
}

/** RFC 2046 §5.1.1 token or quoted string. */
function boundaryOf(contentType: string): string | null {
  const match = /;\s*boundary=(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(contentType);
  const value = match?.[1] !== undefined ? match[1].replace(/\\(.)/g, '$1') : match?.[2];
  return value === undefined || value === '' ? null : value;
}

/** Null when the body holds no part. */
function normalise(body: Buffer, boundary: string): Buffer | null {
  const opening = `--${boundary}`;
  let start = body.indexOf(`${opening}\r\n`);
  let bytes = body;
  if (start < 0) {
    start = body.indexOf(`${opening}\n`);
    if (start < 0) {
      if (body.length === 0 || body.includes(`${opening}--`)) return null;
      throw badRequest('Bad Request: multipart body without its boundary.');
    }
    bytes = Buffer.from(body.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
    start = bytes.indexOf(`${opening}\r\n`);
  }
  const whole = bytes.subarray(start);
  // Python's e-mail package writes a form without fields as opening boundary, empty line, closing boundary.
  if (
    whole
      .subarray(opening.length, opening.length + LONGEST_BLANK)
      .toString('latin1')
      .trimStart()
      .startsWith(`${opening}--`)
  ) {
    return null;
  }
  return whole.subarray(-2).toString('latin1') === '\r\n' ? whole : Buffer.concat([whole, Buffer.from('\r\n')]);
}

interface Part {
  name: string;
  filename: string | undefined;
  encoding: string;
  bytes: Buffer;
}

function parse(contentType: string, body: Buffer): Promise<MultipartForm> {
  return new Promise((resolve, reject) => {
    const parts: Part[] = [];
    const reader = busboy({
      headers: { 'content-type': contentType },
      defParamCharset: 'utf8',
      limits: { fieldSize: body.length + 1, fileSize: body.length + 1, parts: MOST_PARTS },
    });
    reader.on('field', (name, value, info) => {
      parts.push({ name, filename: undefined, encoding: info.encoding, bytes: Buffer.from(value, 'utf8') });
    });
    reader.on('file', (name, stream, info) => {
      const chunks: Buffer[] = [];
      const part: Part = { name, filename: info.filename, encoding: info.encoding, bytes: Buffer.alloc(0) };
      parts.push(part);
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        part.bytes = Buffer.concat(chunks);
      });
    });
    reader.on('partsLimit', () => reject(badRequest('Bad Request: too many parts.')));
    reader.on('error', (error) =>
      reject(badRequest(`Bad Request: ${error instanceof Error ? error.message : String(error)}`)),
    );
    reader.on('close', () => resolve(assemble(parts)));
    reader.end(body);
  });
}

function assemble(parts: Part[]): MultipartForm {
  const form: MultipartForm = { pairs: [], files: [] };
  for (const part of parts) {
    const bytes = decodeTransfer(part.encoding, part.bytes);
    if (part.filename === undefined) form.pairs.push([part.name, bytes.toString('utf8')]);
    else form.files.push({ field: part.name, filename: part.filename, bytes });
  }
  return form;
}
