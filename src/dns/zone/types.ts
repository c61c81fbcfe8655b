import type { Address } from '../../net/index.js';

/** One attachment of a container to a network, by what it is called there. */
export interface NamedEndpoint {
  /** The first 12 digits of its container's id, which are a name too. */
  readonly id: string;
  /** The others, of any case; the first is the container's own, which PTR and SRV answer with. */
  readonly names: readonly string[];
  readonly addresses: readonly Address[];
  readonly services?: readonly Service[];
  /** False while a health check says so. */
  readonly isHealthy: boolean;
}

/** A port that is asked for as `_LABEL._PROTOCOL.NAME`. */
export interface Service {
  /** The port's number, or a name from a label. */
  readonly label: string;
  readonly protocol: string;
  readonly port: number;
}

/** What one host has on one network. */
export interface Share {
  readonly network: { readonly id: string; readonly name?: string };
  readonly host: string;
  /** This host's own. */
  readonly isLocal: boolean;
  readonly isAlive: boolean;
  readonly endpoints: readonly NamedEndpoint[];
}

export interface NamedHost {
  readonly id: string;
  readonly name: string;
  readonly address: Address;
}

export interface ZoneOptions {
  /** How long an answer may be kept, seconds. */
  readonly ttlSec: number;
  /** Containers on this host come first in an answer. */
  readonly localFirst: boolean;
}
