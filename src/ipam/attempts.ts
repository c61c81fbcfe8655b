import type { Store } from '../store/index.js';
import { Backoff, type Outage, hasCode, messageOf } from '../util/index.js';
import { Bound } from './bound.js';
import { IpamError } from './errors.js';

/** What every part of ipam works with. */
export interface Context {
  /** This host's id, as other hosts know it. */
  readonly host: string;
  /** Shared by all hosts. */
  readonly store: Store;
  /** On this host's disk. */
  readonly local: Store;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** How long a freed address rests. */
  readonly restMs: number;
  /** How long after RequestAddress its endpoint, or a second release of the one before, can come. */
  readonly settleMs: number;
  /** How long a call of Docker's waits for a store that does not answer. */
  readonly patienceMs: number;
  /** Of the store, as this host's workers know it. */
  readonly outage: Outage;
  /** A host's name for people. */
  readonly nameOf: (host: string) => string;
  /** Name of the container behind an endpoint of this host, if known. */
  readonly containerOf: (endpointId: string) => string | undefined;
  /** Hears what went wrong where no caller waits. */
  readonly report: (error: IpamError) => void;
}

/** How long a call waits for a store that has not answered others for as long as an election takes. */
const VAIN_MS = 500;

/**
 * How long a call waits for the store: through an election of its leader, and hardly once it is known to be away. Docker starts its
 * containers one after another, and answers nobody before it has asked for all of them.
 */
export function patienceOf({ patienceMs, outage }: Pick<Context, 'patienceMs' | 'outage'>): number {
  return outage.lastsMs > patienceMs / 2 ? Math.min(VAIN_MS, patienceMs) : patienceMs;
}

/** More conflicts than this in a row is no bad luck. */
const MAX_CONFLICTS = 64;

export interface Attempts {
  /** For the error: "create a pool". */
  readonly what: string;
  /** The key that others may be writing as well. */
  readonly key: string;
  /** The call's own time. */
  readonly signal: AbortSignal;
}

/**
 * Runs read-decide-write until it returns something: again after a conflict (undefined), and after an outage of the store
 * for as long as the caller's patience lasts. `body` must read anew each time: an outage leaves it unknown what was written.
 *
 * Throws STORE_UNAVAILABLE, CONTENDED, and whatever else `body` throws.
 */
export async function attempt<T>(
  context: Context,
  { what, key, signal }: Attempts,
  body: (signal: AbortSignal) => Promise<T | undefined>,
): Promise<T> {
  const { random } = context;
  using bound = new Bound(signal, patienceOf(context));
  const bounded = bound.signal;
  const conflict = new Backoff({ minMs: 2, maxMs: 100, random });
  const outage = new Backoff({ minMs: 50, maxMs: 1000, random });
  let last: unknown;
  for (let conflicts = 0; conflicts < MAX_CONFLICTS; conflicts += 1) {
    try {
      const result = await body(bounded);
      if (result !== undefined) return result;
      await conflict.wait(bounded);
    } catch (error) {
      if (bounded.aborted) throw unavailable(what, last ?? bounded.reason ?? error);
      if (!isOutage(error)) throw error;
      last = error;
      conflicts -= 1;
      await outage.wait(bounded).catch(() => undefined);
      if (bounded.aborted) throw unavailable(what, last);
    }
  }
  throw contended(key);
}

export function contended(key: string): IpamError {
  return new IpamError(
    { code: 'CONTENDED', key },
    `other hosts changed ${key} each time that this one tried to; try again`,
  );
}

/** True when the store is away and may come back. */
export function isOutage(error: unknown): boolean {
  return hasCode(error, 'UNAVAILABLE');
}

/** True for an outage, and for who gave up waiting for its end. */
export function isAway(error: unknown): boolean {
  return isOutage(error) || hasCode(error, 'STORE_UNAVAILABLE');
}

export function unavailable(what: string, cause: unknown): IpamError {
  return new IpamError(
    { code: 'STORE_UNAVAILABLE' },
    `could not ${what}: the shared store is out of reach (${messageOf(rootOf(cause))}); running containers are not affected, try again when it answers`,
    { cause },
  );
}

/** What the store said, under what we said about it. */
function rootOf(error: unknown): unknown {
  const ours = hasCode(error, 'STORE_UNAVAILABLE') && error instanceof IpamError;
  return ours && error.cause !== undefined ? rootOf(error.cause) : error;
}
