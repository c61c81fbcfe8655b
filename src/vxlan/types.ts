import type { Address, Mac, Vni } from '../net/index.js';
import type { nft } from '../netlink/index.js';
import type { Status } from '../reconcile/index.js';

/** What a network is on this host, before anyone is attached. */
export interface NetworkSpec {
  /** weft's network id, 12 hex digits; names the namespace `weft-<id>`. */
  readonly id: string;
  readonly vni: Vni;
  /** MTU of containers' links, octets. A new value is for containers attached from then on; see INNER_MTU for the others. */
  readonly mtu: number;
}

/** A container attached on this host. */
export interface LocalEndpoint {
  /** Docker's endpoint id, 64 hex digits. */
  readonly id: string;
  readonly mac: Mac;
  /** The addresses it may send from: one IPv4, one IPv6, or both. */
  readonly addresses: readonly Address[];
}

/** A container attached elsewhere. */
export interface Peer {
  readonly mac: Mac;
  readonly addresses: readonly Address[];
  /** Underlay address of its host. */
  readonly vtep: Address;
}

/** Everything other hosts tell about one network. */
export interface Remote {
  readonly peers: readonly Peer[];
  /** Hosts that have the network, with or without endpoints: where broadcast, multicast and unknown unicast go. */
  readonly vteps: readonly Address[];
}

/** What a network's owner lets pass: a table of the family `inet`, of which bridged packets see the hook `forward`. */
export interface NetworkRules {
  /** The table's name, also where there is none. */
  readonly table: nft.TableRef;
  /** Undefined: everything passes. */
  readonly spec: nft.TableSpec | undefined;
}

/** The underlay as this host sees it. */
export interface Underlay {
  readonly vtep: Address;
  /** UDP port of VXLAN, 4789 unless configured. */
  readonly port: number;
}

/** What a round did to a network's links, rows and rules, all together. Nothing, when all was right. */
export interface RoundReport {
  readonly networkId: string;
  readonly created: number;
  readonly changed: number;
  readonly deleted: number;
  readonly durationMs: number;
}

/** What there is of a network here, and how it is doing. */
export interface NetworkStatus {
  readonly spec: NetworkSpec;
  /** Attached on this host. */
  readonly endpoints: number;
  /** Attached elsewhere; undefined until somebody said. */
  readonly peers: number | undefined;
  readonly status: Status;
}

export interface DatapathStatus {
  /** Of the table that keeps strangers from our VXLAN port. */
  readonly guard: Status;
  readonly networks: readonly NetworkStatus[];
}

/**
 * The kernel's share of this host: one namespace a network with bridge, VXLAN link and veths.
 *
 * Desired state lives here and nowhere else; callers set it and the datapath keeps the kernel equal to it: at once when it is
 * set, and again when somebody else changes the kernel. All calls are idempotent and safe to repeat after a failure.
 */
export interface Datapath extends AsyncDisposable {
  /**
   * Makes the network, takes over what an earlier run left of it, or changes it. Rows and rules of endpoints and peers that
   * are there stay until all is known: see setRemote and reconcile. Throws VNI_TAKEN, naming who has it; then nothing is left
   * of a network that was not there before.
   */
  ensureNetwork(spec: NetworkSpec): Promise<void>;
  /** Removes the namespace and all in it, and veth ends elsewhere that carry its mark. Unknown ids succeed. */
  deleteNetwork(networkId: string): Promise<void>;
  /**
   * After it, the endpoint can receive and send, from its own MAC and addresses only. Answers the link in the host's namespace
   * for Docker to move; of an endpoint that is there already Docker may have it. Throws UNKNOWN_NETWORK, LINK_TAKEN, or what
   * the kernel refused; then nothing is left of an endpoint that was not there before.
   */
  ensureEndpoint(
    networkId: string,
    endpoint: LocalEndpoint,
  ): Promise<{ readonly linkName: string }>;
  /** Unknown ids succeed. */
  deleteEndpoint(networkId: string, endpointId: string): Promise<void>;
  /**
   * Replaces all that is known of other hosts on this network; only differences reach the kernel. Of two peers with one MAC or
   * address the last counts, and what is attached here beats both. What the kernel refuses is retried and seen in the status.
   * Throws UNKNOWN_NETWORK.
   */
  setRemote(networkId: string, remote: Remote): Promise<void>;
  /**
   * While not all is known that rules rest on: true when those of an earlier run are there, and stay until `setRules`; these elements are
   * taken out of their sets, where they are in them.
   */
  keepRules(
    networkId: string,
    table: nft.TableRef,
    without: readonly nft.SetSpec[],
  ): Promise<boolean>;
  /**
   * The network's own rules; until the first call those of an earlier run stay. Resolves when every packet meets them. What the kernel
   * refuses is retried, and thrown. Throws UNKNOWN_NETWORK, and NO_BRIDGE_NETFILTER when nothing passes at all.
   */
  setRules(networkId: string, rules: NetworkRules): Promise<void>;
  /**
   * The only hosts whose packets for our networks are let in; one left out is cut off at once. Until the first call the host's
   * rules stay as an earlier run left them.
   */
  setKnownVteps(vteps: readonly Address[]): Promise<void>;
  /** The host's own address changed: links and rows follow with each network's next ensureNetwork. */
  setUnderlay(underlay: Underlay): Promise<void>;
  /**
   * Compares with the kernel's own dump and repairs. `prune`: also delete networks, links, rows and rules of ours that nobody
   * desires; only once all desired state is loaded.
   */
  reconcile(options: { readonly prune: boolean }): Promise<RoundReport[]>;
}
