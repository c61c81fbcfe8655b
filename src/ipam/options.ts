import type { Store } from '../store/index.js';
import type { Prefix } from '../net/index.js';
import { Outage } from '../util/index.js';
import type { Context } from './attempts.js';
import type { AskedPool } from './decide.js';
import type { IpamError } from './errors.js';
import type { Occupied } from './prefixes.js';

export interface IpamOptions {
  /** This host's id: stable, and unlike every other host's. */
  readonly host: string;
  /** Shared by all hosts. */
  readonly store: Store;
  /** On this host's disk; keys under "ipam/" are ours. */
  readonly local: Store;
  /** What pools are chosen from. No IPv6 range among them: the cluster's own random ULA. */
  readonly ranges: readonly Prefix[];
  /**
   * What no pool may overlap on this host, as it is now: on-link routes, nameservers, and the subnets of all of Docker's networks,
   * weft's own included: that is how a second network on one pool is found, and a pool that was left over told from one in use.
   * Throws when it can't know.
   */
  readonly occupied: (signal: AbortSignal) => Promise<readonly Occupied[]>;
  /** How long a freed address rests before it is chosen again. Default 60 s: longer than neighbors trust an address. */
  readonly restMs?: number;
  /** How long after RequestAddress its endpoint, or a late second release, can come. Default 10 s: more than `patienceMs`. */
  readonly settleMs?: number;
  /** How long a call waits for a store that does not answer. Default 8 s: most leader elections, and inside a plugin call's 10 s. */
  readonly patienceMs?: number;
  /** Throws why this host may give out nothing, e.g. because it was removed from the cluster. */
  readonly assertMayGive?: (signal: AbortSignal) => Promise<void>;
  /** The network that a request means, when it names none. */
  readonly expected?: (asked: AskedPool) => string | undefined;
  /** A host's name for people, from its id. */
  readonly nameOf?: (host: string) => string;
  /** Name of the container behind an endpoint of this host, if known. */
  readonly containerOf?: (endpointId: string) => string | undefined;
  /** Hears what went wrong where no caller waits. */
  readonly report?: (error: IpamError) => void;
  readonly now?: () => number;
  readonly random?: () => number;
}

/** With what was left out filled in. */
export function contextOf(options: IpamOptions): Context {
  return {
    host: options.host,
    store: options.store,
    local: options.local,
    now: options.now ?? Date.now,
    random: options.random ?? Math.random,
    outage: new Outage(),
    restMs: options.restMs ?? 60_000,
    settleMs: options.settleMs ?? 10_000,
    patienceMs: options.patienceMs ?? 8000,
    nameOf: options.nameOf ?? ((id) => id),
    containerOf: options.containerOf ?? (() => undefined),
    report: options.report ?? (() => undefined),
  };
}
