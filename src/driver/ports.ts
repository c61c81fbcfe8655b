import type { DockerSettings } from '../cluster/index.js';
import type { Address, Prefix } from '../net/index.js';

/** What Docker says of a network, if it answers at once. */
export type AskDocker = (
  dockerId: string,
  signal: AbortSignal,
) => Promise<DockerSettings | undefined>;

/** Who sees to it that containers send and receive what they may. */
export interface Policing {
  /**
   * What is attached here, or who is, is another now. Resolves when every packet is judged by that; throws when it can't be, and then
   * what is new neither sends nor receives.
   */
  settle(networkId: string): Promise<void>;
  /** The same without waiting, when what is less is attached. */
  touch(networkId: string): void;
  /** The network is here no more. */
  forget(networkId: string): void;
}

/** What the driver asks of ipam besides Docker's own calls. */
export interface Addresses {
  /** The pools with these prefixes, in this order; undefined where there is none. `network`: from --ipam-opt weft.network=NAME. */
  describe(
    prefixes: readonly Prefix[],
  ): Promise<({ readonly id: string; readonly network?: string } | undefined)[]>;
  /** The network exists on this host now: explicit addresses asked for from here on are endpoints'. */
  networkCreated(poolIds: readonly string[]): Promise<void>;
  /** What Docker calls the network: other hosts can join by this name. */
  networkNamed(poolIds: readonly string[], name: string): Promise<void>;
  /** This endpoint uses this address. */
  attach(poolId: string, address: Address, endpointId: string): Promise<void>;
  /** It does so no more, or did not come about. */
  detach(poolId: string, address: Address, endpointId: string): Promise<void>;
}
