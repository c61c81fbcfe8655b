import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { type NetworkDocument, Networks } from '../../../src/cluster/index.js';
import { EmbeddedStore, type Store } from '../../../src/store/index.js';
import { hasCode } from '../../../src/util/index.js';
import { ShakyStore } from '../../helpers/shaky-store.js';

const HOSTS = ['host-a', 'host-b', 'host-c'];
const VNIS = { first: 2_000_000, last: 2_000_020 };

/** What one host does, one after the other. */
interface Life {
  readonly host: string;
  readonly deeds: readonly Deed[];
  /** Dies after so many calls to the store, is started again and leaves what it was in. */
  readonly diesAfter: number | undefined;
}

interface Deed {
  /**
   * join: as `docker network create` does. adopt: publishes a network that it knows of, as after the store lost that it has it.
   * name: creates one without a name and claims that later.
   */
  readonly do: 'join' | 'adopt' | 'name' | 'leave';
  readonly name: string;
}

const deed: fc.Arbitrary<Deed> = fc.record({
  do: fc.constantFrom('join', 'adopt', 'name', 'leave', 'leave'),
  name: fc.constantFrom('web', 'db'),
});
const life = (host: string): fc.Arbitrary<Life> =>
  fc.record({
    host: fc.constant(host),
    deeds: fc.array(deed, { minLength: 1, maxLength: 6 }),
    diesAfter: fc.option(fc.nat(30), { nil: undefined, freq: 4 }),
  });

/** Time runs so fast that hosts which are only slow are taken for dead as well. */
const clock = (): number => performance.now() * 50_000;

/** Again until the store answers, as the driver's publisher does. */
async function insist<T>(run: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!hasCode(error, 'UNAVAILABLE')) throw error;
    }
  }
}

function patient(): { readonly signal: AbortSignal } {
  return { signal: new AbortController().signal };
}

/** One host with its disk, which knows even after it died what it is in or about to leave. */
class Host {
  readonly disk = new Set<string>();
  readonly #networks: Networks;

  constructor(store: Store, id: string) {
    this.#networks = new Networks(store, id, { vnis: VNIS, clock, uptime: clock });
  }

  async run(deeds: readonly Deed[]): Promise<void> {
    for (const each of deeds) await this[each.do](each.name);
  }

  /** Leaves what the store knows of too: this host may have died before it wrote that down. */
  async leave(): Promise<void> {
    for (const id of await insist(async () => this.#networks.memberships())) this.disk.add(id);
    for (const id of this.disk) {
      await insist(async () => this.#networks.leave(id, patient()));
      this.disk.delete(id);
    }
  }

  async join(name: string): Promise<void> {
    const network = await insist(async () => this.#findOrCreate(name));
    await this.#publish(network);
  }

  async adopt(name: string): Promise<void> {
    const network = await insist(async () => this.#networks.findByName(name));
    if (network) await this.#publish(network);
  }

  async name(name: string): Promise<void> {
    const { id } = await insist(async () => this.#networks.create({ internal: false, pools: [] }));
    await insist(async () => this.#networks.name(id, name));
  }

  /** As the driver's publisher does: again and again, until this host is in or can't be. */
  async #publish(network: NetworkDocument): Promise<void> {
    this.disk.add(network.id);
    try {
      await insist(async () => this.#networks.publish(network, [], patient()));
    } catch (error) {
      if (!hasCode(error, 'VNI_TAKEN')) throw error;
    }
  }

  async #findOrCreate(name: string): Promise<NetworkDocument> {
    for (;;) {
      const found = await this.#networks.findByName(name);
      try {
        if (found) return await this.#networks.join(found.id, patient());
        return await this.#networks.create({ name, internal: false, pools: [] });
      } catch (error) {
        if (!hasCode(error, 'NAME_TAKEN') && !hasCode(error, 'NETWORK_GONE')) throw error;
      }
    }
  }
}

/** Members have their network, claims and networks name each other. */
async function assertSound(t: ExecutionContext, store: Store): Promise<void> {
  const keys = new Map((await store.list('')).map((e) => [e.key, JSON.parse(e.value) as Doc]));
  const networks = new Map([...keys].filter(([key]) => key.startsWith('networks/')));
  for (const [key, document] of keys) {
    const [kind, id] = key.split('/');
    if (kind === 'endpoints') t.true(networks.has(`networks/${id}`), `${key} has no network`);
    if (kind === 'vnis') t.is(networks.get(`networks/${document.owner}`)?.vni, Number(id), key);
    if (kind === 'names') t.is(networks.get(`networks/${document.owner}`)?.name, id, key);
    if (kind !== 'networks') continue;
    t.is(keys.get(`vnis/${document.vni}`)?.owner, document.id, `${key} has not its VNI`);
    if (document.name === undefined) continue;
    t.is(keys.get(`names/${document.name}`)?.owner, document.id, `${key} has not its name`);
  }
}

interface Doc {
  readonly id?: string;
  readonly owner?: string;
  readonly vni?: number;
  readonly name?: string;
}

/** Looks at the store after each commit. */
class WatchedStore extends ShakyStore {
  readonly #inspect: () => Promise<void>;

  constructor(inner: Store, random: () => number, failures: number, inspect: () => Promise<void>) {
    super(inner, { random, failures });
    this.#inspect = inspect;
  }

  override async transact(...call: Parameters<Store['transact']>) {
    const outcome = await super.transact(...call);
    await this.#inspect();
    return outcome;
  }
}

/** A generator that the run's seed decides (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

for (const failures of [0, 0.15]) {
  const title = failures > 0 ? 'on a store that fails' : 'on a store that works';
  test(`networks > hosts that join, leave and die ${title} never lose a network, share a VNI or a name, and leave nothing`, async (t) => {
    await fc.assert(
      fc.asyncProperty(fc.tuple(...HOSTS.map(life)), fc.nat(), async (lives, seed) => {
        const inner = EmbeddedStore.memory();
        const random = randomOf(seed);
        const inspect = async (): Promise<void> => assertSound(t, inner);
        const open = (): WatchedStore => new WatchedStore(inner, random, failures, inspect);
        const ends = lives.map(async ({ host: id, deeds, diesAfter }) => {
          const store = open();
          if (diesAfter !== undefined) store.dieAfter(diesAfter);
          const host = new Host(store, id);
          await Promise.race([host.run(deeds), store.died]);
          const again = new Host(open(), id);
          for (const networkId of host.disk) again.disk.add(networkId);
          await again.leave();
        });
        await Promise.all(ends);
        await inspect();
        const left = (await inner.list('')).map(({ key }) => key);
        t.deepEqual(left, [], 'left over');
      }),
      { numRuns: 100 },
    );
  });
}
