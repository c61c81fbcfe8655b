import { Backoff } from '../util/index.js';
import type { ConsulClient } from './consul-client.js';
import { pause } from './consul-pause.js';
import type { Lease } from './store.js';

/** The end of a lease needs no more: the session would expire by itself. */
const DESTROY_TIMEOUT_MS = 3_000;

export interface LeaseOptions {
  readonly ttlMs: number;
  /** Called when it is disposed of. */
  readonly onEnd: (lease: ConsulLease) => void;
}

/**
 * A Consul session that is renewed every third of its TTL.
 *
 * Consul keeps a session for its TTL at least after each renewal, so `lost`, counted from when the last good renewal was sent,
 * comes before anybody else sees its keys go.
 */
export class ConsulLease implements Lease {
  readonly id: string;
  readonly #client: ConsulClient;
  readonly #options: LeaseOptions;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #disposed: Promise<void> | undefined;

  private constructor(client: ConsulClient, id: string, madeAt: number, options: LeaseOptions) {
    this.#client = client;
    this.id = id;
    this.#options = options;
    this.#loop = this.#keep(madeAt);
  }

  static async create(
    client: ConsulClient,
    name: string,
    options: LeaseOptions,
  ): Promise<ConsulLease> {
    const madeAt = performance.now();
    const id = await client.createSession(name, options.ttlMs);
    return new ConsulLease(client, id, madeAt, options);
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Ends the renewals and leaves the session to live out its TTL. */
  async release(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  /** Ends the lease, and with it its keys; when Consul can't be reached, they go with the TTL. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#end();
    await this.#disposed;
  }

  async #end(): Promise<void> {
    await this.release();
    this.#options.onEnd(this);
    await this.#client.destroySession(this.id, DESTROY_TIMEOUT_MS).catch(() => undefined);
  }

  /** Renews until stopped or lost. */
  async #keep(madeAt: number): Promise<void> {
    const { ttlMs } = this.#options;
    const retry = new Backoff({ minMs: 200, maxMs: ttlMs / 8 });
    let goodUntil = madeAt + ttlMs;
    let waitMs = nextRenewalMs(ttlMs);
    for (;;) {
      await pause(Math.min(waitMs, goodUntil - performance.now()), this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      const sentAt = performance.now();
      if (sentAt >= goodUntil) return this.#lost.abort();
      const state = await this.#renew(Math.min(ttlMs / 4, goodUntil - sentAt));
      if (state === 'gone') return this.#lost.abort();
      if (state === 'renewed') {
        goodUntil = sentAt + ttlMs;
        retry.reset();
      }
      waitMs = state === 'renewed' ? nextRenewalMs(ttlMs) : retry.nextMs();
    }
  }

  async #renew(timeoutMs: number): Promise<'renewed' | 'gone' | 'unknown'> {
    try {
      const options = { timeoutMs: Math.max(1, timeoutMs), signal: this.#stop.signal };
      return (await this.#client.renewSession(this.id, options)) ? 'renewed' : 'gone';
    } catch {
      // Away, refused or stopped: the loop's clock decides.
      return 'unknown';
    }
  }
}

/** A third of the TTL, less a little of each host's own. */
function nextRenewalMs(ttlMs: number): number {
  return (ttlMs / 3) * (0.9 + Math.random() * 0.1);
}
