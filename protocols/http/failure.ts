/**
 * Why an exchange gave no answer. `connection` may pass when tried again; `setting` is for the user to change;
 * `fatal`: what is there does not speak as it should.
 */
export type HttpFailureClass = 'connection' | 'setting' | 'fatal';

/** A redirect's address goes into the message, and may be as long as a head. */
const LONGEST_MESSAGE = 600;

export class HttpFailure extends Error {
  readonly failure: HttpFailureClass;
  constructor(failure: HttpFailureClass, message: string) {
    super(message.slice(0, LONGEST_MESSAGE));
    this.name = 'HttpFailure';
    this.failure = failure;
  }
}

/** Codes of OpenSSL that mean: the certificate is there, but nobody we trust signed it for that name and day. */
const UNTRUSTED = /^(DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|CERT_|ERR_TLS_CERT|HOSTNAME_MISMATCH)/;

/** An error of Node's sockets and parsers as data. `host` names the other side for the reader. */
export function failureOf(error: unknown, host: string): HttpFailure {
  if (error instanceof HttpFailure) return error;
  const code = codeOf(error);
  if (UNTRUSTED.test(code)) {
    return new HttpFailure(
      'setting',
      `the certificate of ${host} is not trusted (${code}): correct it, or do not verify it`,
    );
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return new HttpFailure('fatal', `${host} does not speak TLS`);
  }
  if (code.startsWith('HPE_')) return new HttpFailure('fatal', `${host} does not answer in HTTP (${code})`);
  const known: Record<string, string> = {
    ECONNREFUSED: `${host} refused the connection`,
    ENOTFOUND: `the name ${host} is not known`,
    EAI_AGAIN: `the name ${host} could not be looked up`,
    EHOSTUNREACH: `no route to ${host}`,
    ENETUNREACH: `no route to ${host}`,
    ETIMEDOUT: `${host} did not answer`,
    ECONNRESET: `${host} broke the connection off`,
  };
  return new HttpFailure('connection', known[code] ?? `${host} could not be reached (${code || 'no reason given'})`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
