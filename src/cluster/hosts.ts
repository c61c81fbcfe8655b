import type { Lease, Store } from '../store/index.js';
import { Backoff } from '../util/index.js';
import { type HostDocument, format, keys, parseClaim, parseHost } from './documents.js';
import { type ClusterError, hostIdTaken, vtepTaken } from './errors.js';

/** Consul's floor is 10 s; it may take twice the TTL to notice. */
const LEASE_MS = 15_000;

/** Quick after a leader election; slow when the store stays away, or two hosts take something from each other. */
const RETRY = { minMs: 200, maxMs: 10_000 };

/** An announcement that held for this long was a good one: the next failure begins with short waits again. */
const SETTLED_MS = 30_000;

export type AnnounceState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'announced' }
  | { readonly kind: 'failed'; readonly error: unknown };

/**
 * Keeps this host's document in the store for as long as the daemon runs, under a lease: when the host dies, it goes away by itself.
 *
 * A lost lease is taken again, a document that somebody deletes is put back, and a new one replaces the old one without a
 * gap. The underlay address is claimed under the same lease, so two live hosts can't announce one address. Closing leaves
 * the document to its lease: a daemon that restarts in time was never gone.
 */
export class HostAnnouncer implements AsyncDisposable {
  readonly #store: Store;
  readonly #onState: (state: AnnounceState) => void;
  readonly #aborter = new AbortController();
  #document: HostDocument;
  #changed = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(store: Store, document: HostDocument, onState: (state: AnnounceState) => void) {
    this.#store = store;
    this.#document = document;
    this.#onState = onState;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Announces something else from now on, e.g. after the underlay's address changed. */
  update(document: HostDocument): void {
    this.#document = document;
    this.#changed.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    const backoff = new Backoff(RETRY);
    let held: Lease | undefined;
    this.#onState({ kind: 'starting' });
    while (!signal.aborted) {
      this.#changed = new AbortController();
      const interrupted = AbortSignal.any([this.#changed.signal, signal]);
      const document = this.#document;
      const begin = performance.now();
      let lease: Lease | undefined;
      try {
        lease = await this.#store.lease({ name: `weft ${document.name}`, ttlMs: LEASE_MS });
        await this.#claim(document, lease);
        // Only now: the document moved to the new lease without having been away.
        await release(held);
        held = lease;
        this.#onState({ kind: 'announced' });
        await this.#untilStale(document, AbortSignal.any([interrupted, lease.lost]));
      } catch (error) {
        if (lease !== held) await release(lease);
        this.#onState({ kind: 'failed', error });
      }
      if (performance.now() - begin > SETTLED_MS) backoff.reset();
      else await backoff.wait(interrupted).catch(() => undefined);
    }
  }

  async #claim(document: HostDocument, lease: Lease): Promise<void> {
    const vtepKey = keys.vtep(document.vtep);
    const claim = await this.#store.get(vtepKey);
    const owner = claim && parseClaim(claim.value);
    if (owner !== undefined && owner !== document.id) throw await this.#taken(document, owner);
    const outcome = await this.#store.transact([
      {
        op: 'set',
        key: vtepKey,
        value: format({ owner: document.id }),
        ifVersion: claim?.version ?? 0,
        lease,
      },
      { op: 'set', key: keys.host(document.id), value: format(document), lease },
    ]);
    if (!outcome.ok) throw await this.#taken(document, 'another host');
  }

  async #taken({ vtep }: HostDocument, owner: string): Promise<ClusterError> {
    const entry = owner === 'another host' ? undefined : await this.#store.get(keys.host(owner));
    return vtepTaken(vtep, (entry && parseHost(entry.value))?.name ?? owner);
  }

  /** Resolves when the document is not in the store any more, or `stop` aborts. Throws when it is another's. */
  async #untilStale(document: HostDocument, stop: AbortSignal): Promise<void> {
    const key = keys.host(document.id);
    const text = format(document);
    for await (const { entries } of this.#store.watch(key, { signal: stop })) {
      if (entries.get(key)?.value === text) continue;
      // A watch may begin with what was before our write; a read does not.
      const entry = await this.#store.get(key);
      if (!entry) return;
      if (entry.value !== text) throw hostIdTaken(document.id, parseHost(entry.value));
    }
  }
}

/** A lease that can't be given back now ends by itself. */
async function release(lease: Lease | undefined): Promise<void> {
  try {
    await lease?.[Symbol.asyncDispose]();
  } catch {
    // The store is away; its own clock ends the lease.
  }
}
