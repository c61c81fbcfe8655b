import Type, { type Static } from 'typebox';
import Value from 'typebox/value';
import type { NetworkDocument } from '../cluster/index.js';
import type { Address, Mac } from '../net/index.js';
import type { Store } from '../store/index.js';

/**
 * What this host must know without asking anyone: which of Docker's networks are weft's, and who is attached. Docker
 * never repeats CreateNetwork or CreateEndpoint after a restart, and the shared store may be away.
 */
const NetworkBindingSchema = Type.Object({
  v: Type.Literal(1),
  /** Docker's network id on this host. */
  dockerId: Type.String(),
  /** The network as the cluster knew it last. */
  network: Type.Unsafe<NetworkDocument>(
    Type.Object({
      id: Type.String(),
      name: Type.Optional(Type.String()),
      vni: Type.Integer(),
      mtu: Type.Optional(Type.Integer()),
      internal: Type.Boolean(),
      pools: Type.Array(Type.Object({ id: Type.String(), prefix: Type.String() })),
      createdBy: Type.String(),
      createdAt: Type.String(),
    }),
  ),
  /** It was taken for this network by a guess, and Docker has not told its name yet. */
  isGuess: Type.Optional(Type.Boolean()),
});

const EndpointBindingSchema = Type.Object({
  v: Type.Literal(1),
  id: Type.String(),
  dockerId: Type.String(),
  mac: Type.Unsafe<Mac>(Type.String()),
  addresses: Type.Array(
    Type.Object({
      address: Type.Unsafe<Address>(Type.String()),
      prefixLength: Type.Integer(),
      poolId: Type.String(),
    }),
  ),
  /** Its container's name, once Docker has told it. */
  name: Type.Optional(Type.String()),
  /** Milliseconds since 1970; a young endpoint may not be in Docker's own list yet. */
  since: Type.Integer(),
});

export type NetworkBinding = Static<typeof NetworkBindingSchema>;
export type EndpointBinding = Static<typeof EndpointBindingSchema>;

const NETWORKS = 'networks/';
const ENDPOINTS = 'endpoints/';
/** Networks that Docker removed here while the shared store had not heard of it yet; the value says what it is to hear. */
const LEFT = 'left/';
/** Networks of the cluster that somebody removed here, and here alone; the value is their name. */
const SHUNNED = 'shunned/';

/** `remove`: gone everywhere if nobody uses it. `leave`: no more here. */
export type Leaving = 'leave' | 'remove';

/** The bindings in memory, each change on disk before it counts. Owned by the driver. */
export class Bindings {
  readonly #local: Store;
  readonly #networks = new Map<string, NetworkBinding>();
  readonly #endpoints = new Map<string, Map<string, EndpointBinding>>();
  readonly #left = new Map<string, Leaving>();
  readonly #shunned = new Map<string, string>();

  private constructor(local: Store) {
    this.#local = local;
  }

  /** Reads what is on disk; `onDamage` hears of a record that can't be read, which is then left out. */
  static async load(local: Store, onDamage: (key: string) => void): Promise<Bindings> {
    const bindings = new Bindings(local);
    for (const { key, value } of await local.list(NETWORKS)) {
      const network = parse(NetworkBindingSchema, value);
      if (network) bindings.#networks.set(network.dockerId, network);
      else onDamage(key);
    }
    for (const { key, value } of await local.list(ENDPOINTS)) {
      const endpoint = parse(EndpointBindingSchema, value);
      if (endpoint) bindings.#endpointsOf(endpoint.dockerId).set(endpoint.id, endpoint);
      else onDamage(key);
    }
    for (const { key, value } of await local.list(LEFT)) {
      bindings.#left.set(key.slice(LEFT.length), value === 'remove' ? 'remove' : 'leave');
    }
    for (const { key, value } of await local.list(SHUNNED)) {
      bindings.#shunned.set(key.slice(SHUNNED.length), value);
    }
    return bindings;
  }

  network(dockerId: string): NetworkBinding | undefined {
    return this.#networks.get(dockerId);
  }

  networks(): NetworkBinding[] {
    return [...this.#networks.values()];
  }

  byNetworkId(networkId: string): NetworkBinding | undefined {
    return this.networks().find((binding) => binding.network.id === networkId);
  }

  /** Networks to leave in the shared store. */
  left(): string[] {
    return [...this.#left.keys()];
  }

  /** How this host leaves a network; undefined when it does not. */
  leaving(networkId: string): Leaving | undefined {
    return this.#left.get(networkId);
  }

  /** Networks of the cluster that stay away from this host until somebody asks for them here: names by id. */
  shunned(): ReadonlyMap<string, string> {
    return this.#shunned;
  }

  endpoint(dockerId: string, endpointId: string): EndpointBinding | undefined {
    return this.#endpoints.get(dockerId)?.get(endpointId);
  }

  endpoints(dockerId: string): EndpointBinding[] {
    return [...(this.#endpoints.get(dockerId)?.values() ?? [])];
  }

  async addNetwork(binding: NetworkBinding): Promise<void> {
    await this.#set(NETWORKS + binding.dockerId, JSON.stringify(binding));
    this.#networks.set(binding.dockerId, binding);
  }

  /** The network and its endpoints are gone from this host; it stays in {@link left} until the shared store knows. */
  async removeNetwork(dockerId: string, how: Leaving): Promise<void> {
    const binding = this.#networks.get(dockerId);
    if (!binding) return;
    for (const { id } of this.endpoints(dockerId)) await this.removeEndpoint(dockerId, id);
    const { id, name = id } = binding.network;
    await this.#local.transact([
      { op: 'delete', key: NETWORKS + dockerId },
      { op: 'set', key: LEFT + id, value: how },
      ...(how === 'remove' ? [{ op: 'set' as const, key: SHUNNED + id, value: name }] : []),
    ]);
    this.#networks.delete(dockerId);
    this.#endpoints.delete(dockerId);
    this.#left.set(id, how);
    if (how === 'remove') this.#shunned.set(id, name);
  }

  /** Somebody asked for the network here, or it is gone everywhere. */
  async welcome(networkId: string): Promise<void> {
    if (!this.#shunned.has(networkId)) return;
    await this.#local.transact([{ op: 'delete', key: SHUNNED + networkId }]);
    this.#shunned.delete(networkId);
  }

  /** This host is in a network of the store that no binding knows. */
  async addLeft(networkId: string): Promise<void> {
    await this.#set(LEFT + networkId, 'leave');
    this.#left.set(networkId, 'leave');
  }

  async forgetLeft(networkId: string): Promise<void> {
    if (!this.#left.has(networkId)) return;
    await this.#local.transact([{ op: 'delete', key: LEFT + networkId }]);
    this.#left.delete(networkId);
  }

  async addEndpoint(binding: EndpointBinding): Promise<void> {
    await this.#set(`${ENDPOINTS}${binding.dockerId}/${binding.id}`, JSON.stringify(binding));
    this.#endpointsOf(binding.dockerId).set(binding.id, binding);
  }

  async removeEndpoint(dockerId: string, endpointId: string): Promise<void> {
    await this.#local.transact([{ op: 'delete', key: `${ENDPOINTS}${dockerId}/${endpointId}` }]);
    this.#endpoints.get(dockerId)?.delete(endpointId);
  }

  #endpointsOf(dockerId: string): Map<string, EndpointBinding> {
    let endpoints = this.#endpoints.get(dockerId);
    if (!endpoints) this.#endpoints.set(dockerId, (endpoints = new Map()));
    return endpoints;
  }

  async #set(key: string, value: string): Promise<void> {
    await this.#local.transact([{ op: 'set', key, value }]);
  }
}

function parse<T extends typeof NetworkBindingSchema | typeof EndpointBindingSchema>(
  schema: T,
  text: string,
): Static<T> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(schema, value) ? value : undefined;
  } catch {
    return undefined;
  }
}
