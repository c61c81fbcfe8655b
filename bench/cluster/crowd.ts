/** Hosts that are only in the store, with endpoints, as real hosts announce them. */
import { createHash } from 'node:crypto';
import {
  type EndpointRecord,
  type HostDocument,
  type NetworkDocument,
  Networks,
} from '../../src/cluster/index.js';
import { format, keys } from '../../src/cluster/documents.js';
import { addressFromBytes, addressToBytes, macFromAddress } from '../../src/net/index.js';
import type { Store } from '../../src/store/index.js';
import { KeyedMutex, VERSION } from '../../src/util/index.js';

/** Endpoints of one host. */
const PER_HOST = 100;
/** Writes under way at once. */
const WRITERS = 16;

interface Simulated {
  readonly id: string;
  readonly networks: Networks;
  readonly endpoints: EndpointRecord[];
}

/**
 * The hosts of a big cluster as far as one host can tell: they announce themselves and their endpoints, by the code that real
 * ones use, and nobody is at their addresses.
 */
export class Crowd {
  readonly #store: Store;
  readonly #network: NetworkDocument;
  readonly #hosts: Simulated[] = [];
  readonly #mutex = new KeyedMutex();
  #made = 0;

  /** The network's second half is for the crowd: real hosts get their addresses from the first. */
  constructor(store: Store, network: NetworkDocument) {
    this.#store = store;
    this.#network = network;
  }

  get endpoints(): number {
    return this.#made;
  }

  /** Makes it so many endpoints in all. */
  async growTo(count: number): Promise<void> {
    const hosts = Math.ceil(count / PER_HOST);
    while (this.#hosts.length < hosts) await this.#addHost();
    const grown = new Set<Simulated>();
    while (this.#made < count) grown.add(this.#addEndpoint());
    await inParallel([...grown], async (host) => this.#publish(host));
  }

  /** Starts so many more containers, as fast as the store takes them: each a write of its own. */
  async burst(count: number): Promise<void> {
    const changes = Array.from({ length: count }, (_, i) => i);
    await inParallel(changes, async () => this.#publish(this.#addEndpoint()));
  }

  async #publish({ id, networks, endpoints }: Simulated): Promise<void> {
    // As a real host does: of two writes at once an older one might be the last.
    await this.#mutex.run(id, async () => {
      const signal = AbortSignal.timeout(30_000);
      await networks.publish(this.#network, [...endpoints], { signal });
    });
  }

  async #addHost(): Promise<void> {
    const n = this.#hosts.length;
    const id = `crowd-${n}`;
    const document: HostDocument = {
      id,
      name: id,
      vtep: addressFromBytes(Uint8Array.of(198, 18, n >> 8, n & 255)),
      mtu: 1500,
      version: VERSION,
      startedAt: new Date(0).toISOString(),
    };
    // It has no kernel in which policies could lack.
    const enforced = { host: id, version: Number.MAX_SAFE_INTEGER };
    await this.#store.transact([
      { op: 'set', key: keys.host(id), value: format(document) },
      { op: 'set', key: keys.enforced(id), value: format(enforced) },
    ]);
    this.#hosts.push({ id, networks: new Networks(this.#store, id), endpoints: [] });
  }

  /** The hosts take turns. */
  #addEndpoint(): Simulated {
    const n = this.#made;
    this.#made += 1;
    const host = this.#hosts[n % this.#hosts.length]!;
    const base = addressToBytes(this.#network.pools[0]!.prefix.split('/')[0] as never);
    // Half of a /16 is enough for all sizes that are measured.
    const octets = Uint8Array.of(base[0]!, base[1]!, 128 + (n >> 8), n & 255);
    const address = addressFromBytes(octets);
    const id = createHash('sha256').update(`${this.#network.id} ${n}`).digest('hex');
    const name = `service-${n % 100}-${n}`;
    host.endpoints.push({
      id,
      name,
      dns: { container: id.slice(0, 12), names: [name, `service-${n % 100}`] },
      mac: macFromAddress(address),
      addresses: [{ address, prefixLength: 16 }],
      labels: { 'com.docker.compose.service': `service-${n % 100}`, group: `g${n % 500}` },
    });
    return host;
  }
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: WRITERS }, worker));
}
