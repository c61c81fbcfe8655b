import { setTimeout as delay } from 'node:timers/promises';
import type { Zone } from '../zone/index.js';
import { Listener } from './listener.js';
import type { Sandbox, SandboxState } from './protocol.js';

/** Up to Docker 27 the namespace comes after the plugin's calls, shortly before the container's first process. */
const QUICK_MS = 2000;
const QUICK_RETRY_MS = 5;
const RETRY_MS = 100;
/** Then the container did not start, or its namespace allows no listener. */
const GIVE_UP_MS = 30_000;
const SWEEP_MS = 1000;

type OnState = (path: string, state: SandboxState, reason?: string) => void;

/** All containers that this thread serves, by their namespaces' files. */
export class Sandboxes implements AsyncDisposable {
  readonly #zone: Zone;
  readonly #onState: OnState;
  readonly #served = new Map<string, Served>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(zone: Zone, onState: OnState) {
    this.#zone = zone;
    this.#onState = onState;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  serve({ path, networks }: Sandbox): void {
    const there = this.#served.get(path);
    if (there) {
      there.networks = networks;
      return;
    }
    const served = new Served(path, networks, this.#zone, this.#onState);
    this.#served.set(path, served);
    void this.#follow(path, served);
  }

  async #follow(path: string, served: Served): Promise<void> {
    const isServing = await served.run();
    // So that whoever asks again is heard again.
    if (!isServing && this.#served.get(path) === served) this.#served.delete(path);
  }

  async leave(path: string): Promise<void> {
    const served = this.#served.get(path);
    this.#served.delete(path);
    await served?.[Symbol.asyncDispose]();
  }

  #sweep(): void {
    const now = performance.now();
    for (const served of this.#served.values()) served.sweep(now);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweeper);
    await Promise.all([...this.#served.keys()].map(async (path) => this.leave(path)));
  }
}

/** One container, from before its namespace is there. */
class Served implements AsyncDisposable {
  readonly #path: string;
  readonly #zone: Zone;
  readonly #onState: OnState;
  readonly #aborter = new AbortController();
  #networks: readonly string[];
  #listener: Listener | undefined;
  #running: Promise<unknown> | undefined;

  constructor(path: string, networks: readonly string[], zone: Zone, onState: OnState) {
    this.#path = path;
    this.#networks = networks;
    this.#zone = zone;
    this.#onState = onState;
  }

  set networks(networks: readonly string[]) {
    this.#networks = networks;
    if (this.#listener) this.#listener.networks = networks;
  }

  /** Settles when it is served, or will not be. */
  async run(): Promise<boolean> {
    const running = this.#open();
    this.#running = running;
    return running;
  }

  async #open(): Promise<boolean> {
    const { signal } = this.#aborter;
    const since = performance.now();
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      let reason: string;
      try {
        this.#listener = await Listener.open(this.#path, this.#networks, this.#zone);
        this.#listener.networks = this.#networks;
        this.#onState(this.#path, 'serving');
        return true;
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
      }
      const elapsed = performance.now() - since;
      if (elapsed > GIVE_UP_MS) {
        this.#onState(this.#path, 'failed', reason);
        return false;
      }
      if (attempt === 1) this.#onState(this.#path, 'waiting', reason);
      const waitMs = elapsed < QUICK_MS ? QUICK_RETRY_MS : RETRY_MS;
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
    return false;
  }

  sweep(now: number): void {
    this.#listener?.sweep(now);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#running;
    await this.#listener?.[Symbol.asyncDispose]();
  }
}
