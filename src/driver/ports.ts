import type { Address, Prefix } from '../net/index.js';

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
