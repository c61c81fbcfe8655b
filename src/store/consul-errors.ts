import { STATUS_CODES } from 'node:http';
import { StoreError } from './errors.js';

/** What the npm client puts on its errors, next to what Node puts on its own. */
interface ClientFailure {
  readonly message?: unknown;
  readonly code?: unknown;
  readonly isTimeout?: unknown;
  readonly isCodec?: unknown;
  readonly isResponse?: unknown;
  readonly response?: { readonly statusCode?: unknown; readonly payload?: unknown };
}

export interface FailedCall {
  /** Without credentials: it goes into messages. */
  readonly address: string;
  readonly timeoutMs: number;
  /** What the call wanted, say `key write on "weft/v1/"`. */
  readonly right: string;
  readonly hasToken: boolean;
}

const networkWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refuses connections',
  ECONNRESET: 'closed the connection before it answered',
  EPIPE: 'closed the connection before it answered',
  ENOTFOUND: 'has a name that does not resolve',
  EAI_AGAIN: 'has a name that does not resolve',
  EHOSTUNREACH: 'can not be reached from here',
  ENETUNREACH: 'can not be reached from here',
  ETIMEDOUT: 'does not answer',
  ERR_TLS_CERT_ALTNAME_INVALID: 'shows a certificate for another name; set its server name',
  CERT_HAS_EXPIRED: 'shows a certificate that has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'shows a certificate that no given CA signed; set its CA',
  SELF_SIGNED_CERT_IN_CHAIN: 'shows a certificate that no given CA signed; set its CA',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'shows a certificate that no given CA signed; set its CA',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'shows a certificate that no given CA signed; set its CA',
};

/** A reply that came whole, with a good status, and is not what Consul says. */
export class UnreadableReply extends Error {}

/**
 * Whatever a call threw, as a StoreError.
 *
 * 4xx is a refusal, but for 408 and 429, which pass; everything else leaves the outcome unknown and is UNAVAILABLE. The npm
 * client's error is not kept as cause: it holds the request, and so the token.
 */
export function toStoreError(thrown: unknown, call: FailedCall): StoreError {
  if (thrown instanceof StoreError) return thrown;
  const failure = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as ClientFailure;
  const status = failure.response?.statusCode;
  if (failure.isResponse === true && typeof status === 'number') {
    return statusError(status, textOf(failure.response?.payload), call);
  }
  return unavailable(call, wordsFor(thrown, failure, call), plainCause(failure));
}

/** A token that may not do what the call wanted. */
export function permissionDenied(call: FailedCall, status: number): StoreError {
  const who = call.hasToken ? 'the token lacks' : 'no token was given, and without one there is no';
  return refused(call, status, `permission denied: ${who} ${call.right}`);
}

/** One line of what Consul said, for a message. */
export function textOf(body: unknown): string {
  const text = Buffer.isBuffer(body) ? body.toString() : body;
  if (typeof text !== 'string') return '';
  return text.replaceAll(/\s+/gu, ' ').trim().slice(0, 300);
}

function statusError(status: number, text: string, call: FailedCall): StoreError {
  if (status === 403) {
    if (!/acl not found/iu.test(text)) return permissionDenied(call, status);
    return refused(call, status, 'it does not know the token');
  }
  const said = text || (STATUS_CODES[status]?.toLowerCase() ?? 'no reason given');
  if (status === 413) return refused(call, status, `too large: ${said}`);
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
    return refused(call, status, `it answered ${status}: ${said}`);
  }
  return unavailable(call, `answered ${status}: ${said}`);
}

function wordsFor(thrown: unknown, failure: ClientFailure, call: FailedCall): string {
  if (failure.isTimeout === true) return `did not answer within ${Math.round(call.timeoutMs)} ms`;
  if (failure.isCodec === true) return 'answered with something that is not JSON';
  const message = typeof failure.message === 'string' ? failure.message : String(thrown);
  if (thrown instanceof UnreadableReply) return `answered with ${message}`;
  const code = typeof failure.code === 'string' ? failure.code : '';
  if (/^ERR_SSL_.*_ALERT_.*(?:CERTIFICATE|UNKNOWN_CA)/u.test(code)) {
    return 'wants a client certificate that it trusts; set its cert and key';
  }
  if (code.startsWith('ERR_SSL_')) return `would not speak TLS with us: ${message}`;
  return networkWords[code] ?? `failed: ${message}`;
}

function plainCause(failure: ClientFailure): Error {
  const cause = new Error(typeof failure.message === 'string' ? failure.message : 'unknown');
  return typeof failure.code === 'string' ? Object.assign(cause, { code: failure.code }) : cause;
}

function unavailable(call: FailedCall, words: string, cause?: Error): StoreError {
  return new StoreError(
    { code: 'UNAVAILABLE', store: 'consul' },
    `consul at ${call.address} ${words}`,
    cause ? { cause } : undefined,
  );
}

function refused(call: FailedCall, status: number, words: string): StoreError {
  return new StoreError(
    { code: 'STORE_REFUSED', store: 'consul', status },
    `consul at ${call.address} refused: ${words}`,
  );
}
