import type { Address, AddressWithLength, Mac, Prefix, Vni } from '../net/index.js';

/** A network as every host sees it. */
export interface SharedNetwork {
  readonly id: string;
  readonly name?: string;
  readonly vni: Vni;
  readonly mtu?: number;
  readonly internal: boolean;
  readonly pools: readonly {
    readonly id: string;
    readonly prefix: Prefix;
    readonly gateway?: Address;
  }[];
}

/** One of this host's endpoints as the others hear of it. */
export interface SharedEndpoint {
  readonly id: string;
  readonly mac: Mac;
  readonly addresses: readonly AddressWithLength[];
  readonly name?: string;
}
