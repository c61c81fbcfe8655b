import type { ListOptions } from './consul-client.js';
import type { Listing } from './consul-reply.js';
import type { WatchSource } from './consul-watch.js';
import type { CallOptions, Entry } from './store.js';

/** Reads at once; more of them would keep other calls of this host waiting. */
const READERS = 4;
/** When more than these and half of all have moved, one read of everything is cheaper. */
const MANY = 256;

export interface HeadedSource extends WatchSource {
  get(key: string, options?: CallOptions): Promise<Entry | undefined>;
  /** Answers when something under `prefix` may have changed since `after`; the reply is small. Answers the index. */
  wake(
    prefix: string,
    options: Required<Pick<ListOptions, 'after'>> & CallOptions,
  ): Promise<number>;
}

/**
 * Reads of a prefix whose keys have heads (see WatchOptions): what a wait answers costs what has changed, not all there is.
 *
 * It waits for a change of any key's name or value under the prefix, then lists the heads, and reads what is behind those that moved. A
 * change that no head explains, made by hand or by who writes no heads, costs a read of everything, as without heads. One
 * that comes in the same moment as another with a head is seen with the next read of everything.
 */
export class HeadReader implements WatchSource {
  readonly #source: HeadedSource;
  readonly #heads: string;
  /** Versions, by the rest of the key. */
  #known = new Map<string, number>();
  readonly #entries = new Map<string, Entry>();

  constructor(source: HeadedSource, heads: string) {
    this.#source = source;
    this.#heads = heads;
  }

  onAway(listener: () => void): () => void {
    return this.#source.onAway(listener);
  }

  get outage(): HeadedSource['outage'] {
    return this.#source.outage;
  }

  async list(prefix: string, options: ListOptions): Promise<Listing> {
    const { signal, after } = options;
    const call = signal === undefined ? {} : { signal };
    if (after === undefined) return this.#readAll(prefix, await this.#readHeads(call), call);
    const index = await this.#source.wake(prefix, { ...call, after });
    // Its time was up, or Consul lost its state: there is nothing to look at yet.
    if (index <= after.index) return { entries: [...this.#entries.values()], index, size: 0 };
    const heads = await this.#readHeads(call);
    const moved = this.#movedIn(heads);
    const isExplained = heads.versions.size > 0 && moved.length > 0 && heads.index >= index;
    const isMany = moved.length > MANY && moved.length * 2 > heads.versions.size;
    if (!isExplained || isMany) return this.#readAll(prefix, heads, call);
    const size = await this.#readSome(prefix, moved, call);
    this.#known = heads.versions;
    // What came between the wake and the list of heads is read too.
    const listing = { entries: [...this.#entries.values()], index: heads.index };
    return { ...listing, size: size + heads.size };
  }

  async #readHeads(call: CallOptions): Promise<Heads> {
    const { entries, index, size } = await this.#source.list(this.#heads, call);
    const versions = entries.map(({ key, version }) => {
      return [key.slice(this.#heads.length), version] as const;
    });
    return { versions: new Map(versions), index, size };
  }

  #movedIn({ versions }: Heads): string[] {
    const moved = [...versions].filter(([rest, version]) => this.#known.get(rest) !== version);
    const gone = [...this.#known.keys()].filter((rest) => !versions.has(rest));
    return [...moved.map(([rest]) => rest), ...gone];
  }

  /** `heads` were read before: what moves in between is read once too often, and never missed. */
  async #readAll(prefix: string, heads: Heads, call: CallOptions): Promise<Listing> {
    const listing = await this.#source.list(prefix, call);
    this.#entries.clear();
    for (const entry of listing.entries) this.#entries.set(entry.key, entry);
    this.#known = heads.versions;
    return listing;
  }

  async #readSome(prefix: string, moved: readonly string[], call: CallOptions): Promise<number> {
    const left = moved.values();
    let size = 0;
    const reader = async (): Promise<void> => {
      for (const rest of left) {
        const key = prefix + rest;
        const entry = await this.#source.get(key, call);
        if (entry === undefined) this.#entries.delete(key);
        else this.#entries.set(key, entry);
        size += key.length + (entry?.value.length ?? 0);
      }
    };
    await Promise.all(Array.from({ length: READERS }, reader));
    return size;
  }
}

interface Heads {
  readonly versions: Map<string, number>;
  readonly index: number;
  readonly size: number;
}
