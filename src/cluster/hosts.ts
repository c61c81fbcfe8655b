import type { Lease, Store } from '../store/index.js';
import { Backoff } from '../util/index.js';
import { type HostDocument, format, keys, parseClaim, parseHost } from './documents.js';
import { ClusterError } from './errors.js';

/** Consul's floor is 10 s; it may take twice the TTL to notice. */
const LEASE_MS = 15_000;

export type AnnounceState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'announced' }
  | { readonly kind: 'failed'; readonly error: unknown };

/**
 * Keeps this host's document in the store for as long as the daemon runs, under a lease: when the host dies, it goes away by itself.
 *
 * A lost lease is taken again. The underlay address is claimed under the same lease, so two live hosts can't announce one address.
 * Closing leaves the document to its lease: a daemon that restarts in time was never gone.
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
    const backoff = new Backoff({ minMs: 200, maxMs: 10_000 });
    this.#onState({ kind: 'starting' });
    while (!signal.aborted) {
      this.#changed = new AbortController();
      let lease: Lease | undefined;
      try {
        const document = this.#document;
        lease = await this.#store.lease({ name: `weft ${document.name}`, ttlMs: LEASE_MS });
        await this.#claim(document, lease);
        backoff.reset();
        this.#onState({ kind: 'announced' });
        await ended(AbortSignal.any([lease.lost, this.#changed.signal, signal]));
      } catch (error) {
        this.#onState({ kind: 'failed', error });
        await backoff.wait(AbortSignal.any([this.#changed.signal, signal])).catch(() => undefined);
      }
      // A lease that ends with the daemon stays in the store until its time is over.
      if (!signal.aborted) await release(lease);
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
    const entry = await this.#store.get(keys.host(owner));
    const host = (entry && parseHost(entry.value))?.name ?? owner;
    return new ClusterError(
      { code: 'VTEP_TAKEN', vtep, host },
      `host ${host} announces the underlay address ${vtep} already; hosts need addresses of their own: ` +
        'choose the right link with --underlay LINK, ADDRESS or PREFIX',
    );
  }
}

/** Resolves when `signal` aborts. */
async function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** A lease that can't be given back now ends by itself. */
async function release(lease: Lease | undefined): Promise<void> {
  try {
    await lease?.[Symbol.asyncDispose]();
  } catch {
    // The store is away; its own clock ends the lease.
  }
}
