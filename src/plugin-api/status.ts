import type { NetDetail } from '../net/index.js';
import { AppError, messageOf } from '../util/index.js';
import type { PluginApiDetail } from './errors.js';

/** What an error means to the caller. */
export type Kind = 'invalid' | 'unknown' | 'conflict' | 'unavailable' | 'internal';

/** HTTP status of each kind. Docker tells 404 from the rest in calls that never fail here (protocol of plugins.IsNotFound). */
const statusOfKind = {
  invalid: 400,
  unknown: 404,
  conflict: 409,
  unavailable: 503,
  internal: 500,
} as const satisfies Record<Kind, number>;

const own = {
  INVALID_REQUEST: 'invalid',
  EMPTY_BODY: 'invalid',
  UNKNOWN_METHOD: 'unknown',
  NOT_SUPPORTED: 'invalid',
  TIMED_OUT: 'unavailable',
  INVALID_ADDRESS: 'invalid',
  INVALID_PREFIX: 'invalid',
  INVALID_MAC: 'invalid',
  INVALID_VNI: 'invalid',
} as const satisfies Record<(PluginApiDetail | NetDetail)['code'], Kind>;

/**
 * Kind of every code that may come out of a driver. The drivers' folders are above this one, so a test holds their unions
 * against this table. What is not in it is internal: the kernel's errors, which are errno names.
 */
export const kindOfCode = {
  ...own,
  // store
  UNAVAILABLE: 'unavailable',
  STORE_REFUSED: 'unavailable',
  STORE_IN_USE: 'unavailable',
  STORE_CLOSED: 'unavailable',
  LEASE_LOST: 'unavailable',
  // cluster
  INVALID_NAME: 'invalid',
  NAME_TAKEN: 'conflict',
  NETWORK_GONE: 'conflict',
  NO_FREE_VNI: 'conflict',
  BAD_POLICY_INDEX: 'internal',
  TOO_MANY_POLICIES: 'conflict',
  VTEP_TAKEN: 'conflict',
  HOST_ID_TAKEN: 'conflict',
  HOST_REMOVED: 'conflict',
  LAYOUT_NEWER: 'conflict',
  HOST_LIVE: 'conflict',
  UNKNOWN_HOST: 'unknown',
  AMBIGUOUS_HOST: 'conflict',
  VNI_TAKEN: 'conflict',
  // driver
  FOREIGN_IPAM: 'invalid',
  INVALID_OPTION: 'invalid',
  NO_ADDRESS: 'invalid',
  NETWORK_MISMATCH: 'conflict',
  NETWORK_REPLACED: 'conflict',
  NETWORK_UNCONFIRMED: 'unavailable',
  MAC_TAKEN: 'conflict',
  UNKNOWN_NETWORK: 'unknown',
  UNKNOWN_ENDPOINT: 'unknown',
  // ipam
  POOL_OVERLAP: 'conflict',
  NO_FREE_POOL: 'conflict',
  UNKNOWN_POOL: 'unknown',
  POOL_FULL: 'conflict',
  ADDRESS_TAKEN: 'conflict',
  ADDRESS_OUT_OF_POOL: 'invalid',
  STORE_UNAVAILABLE: 'unavailable',
  BAD_DOCUMENT: 'internal',
  CONTENDED: 'unavailable',
} as const satisfies Record<string, Kind>;

function kindOf(code: string): Kind {
  return Object.hasOwn(kindOfCode, code) ? kindOfCode[code as keyof typeof kindOfCode] : 'internal';
}

export interface Failure {
  readonly status: number;
  /** One line for the person who typed the docker command: "CODE: message". */
  readonly text: string;
}

/** Longer than any sentence of ours; what comes from elsewhere is cut. */
const MAX_TEXT = 1000;

/** Status and text of anything a driver throws. Never a stack: that is for the log, which has the request's id. */
export function failureOf(error: unknown, requestId: string): Failure {
  if (error instanceof AppError) {
    const code = String(error.code);
    return { status: statusOfKind[kindOf(code)], text: oneLine(`${code}: ${error.message}`) };
  }
  const text = `INTERNAL: ${oneLine(messageOf(error))}; weft's log has more under ${requestId}`;
  return { status: statusOfKind.internal, text };
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line;
}
