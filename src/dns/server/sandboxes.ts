import { stat } from 'node:fs/promises';
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
/** Of so many it is known that they were given up. */
const MAX_FAILED = 1024;

type OnState = (path: string, state: SandboxState, reason?: string) => void;

/** All containers that this thread serves, by their namespaces' files. */
export class Sandboxes implements AsyncDisposable {
  readonly #zone: Zone;
  readonly #onState: OnState;
  readonly #served = new Map<string, Served>();
  /** Given up once: whoever asks again gets one attempt. */
  readonly #failed = new Set<string>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(zone: Zone, onState: OnState) {
    this.#zone = zone;
    this.#onState = onState;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_MS);
  }

  serve(sandbox: Sandbox): void {
    const { path } = sandbox;
    const there = this.#served.get(path);
    if (there) {
      there.sandbox = sandbox;
      there.tellAgain();
      return;
    }
    const served = new Served(sandbox, this.#zone, this.#onState);
    this.#served.set(path, served);
    void this.#follow(path, served);
  }

  async #follow(path: string, served: Served): Promise<void> {
    const isServing = await served.run(this.#failed.has(path) ? 0 : GIVE_UP_MS);
    this.#failed.delete(path);
    // So that whoever asks again is heard again.
    if (isServing || this.#served.get(path) !== served) return;
    this.#served.delete(path);
    if (this.#failed.size >= MAX_FAILED) this.#failed.clear();
    this.#failed.add(path);
  }

  async leave(path: string): Promise<void> {
    const served = this.#served.get(path);
    this.#served.delete(path);
    await served?.[Symbol.asyncDispose]();
  }

  /** Leaves all but these. */
  async keep(paths: ReadonlySet<string>): Promise<void> {
    const others = [...this.#served.keys()].filter((path) => !paths.has(path));
    await Promise.all(others.map(async (path) => this.leave(path)));
  }

  /** A namespace whose file Docker has removed is kept alive by us alone. */
  async leaveGone(): Promise<void> {
    for (const [path, served] of this.#served) {
      const now = await stat(path, { bigint: true }).catch(() => undefined);
      if (!served.isAt(now?.ino) && this.#served.get(path) === served) await this.leave(path);
    }
  }

  #sweep(): void {
    for (const served of this.#served.values()) served.sweep();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweeper);
    await Promise.all([...this.#served.keys()].map(async (path) => this.leave(path)));
  }
}

/** One container, from before its namespace is there. */
class Served implements AsyncDisposable {
  readonly #zone: Zone;
  readonly #onState: OnState;
  readonly #aborter = new AbortController();
  #sandbox: Sandbox;
  #listener: Listener | undefined;
  #running: Promise<unknown> | undefined;

  constructor(sandbox: Sandbox, zone: Zone, onState: OnState) {
    this.#sandbox = sandbox;
    this.#zone = zone;
    this.#onState = onState;
  }

  set sandbox(sandbox: Sandbox) {
    this.#sandbox = sandbox;
    this.#listener?.change(sandbox);
  }

  /** Settles when it is served, or will not be. */
  async run(giveUpMs: number): Promise<boolean> {
    const running = this.#open(giveUpMs);
    this.#running = running;
    return running;
  }

  async #open(giveUpMs: number): Promise<boolean> {
    const { signal } = this.#aborter;
    const { path } = this.#sandbox;
    const since = performance.now();
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      let reason: string;
      try {
        this.#listener = await Listener.open(this.#sandbox, this.#zone);
        this.#listener.change(this.#sandbox);
        this.#onState(path, 'serving');
        return true;
      } catch (error) {
        reason = error instanceof Error ? error.message : String(error);
      }
      const elapsed = performance.now() - since;
      if (elapsed > giveUpMs) {
        this.#onState(path, 'failed', reason);
        return false;
      }
      if (attempt === 1) this.#onState(path, 'waiting', reason);
      const waitMs = elapsed < QUICK_MS ? QUICK_RETRY_MS : RETRY_MS;
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
    return false;
  }

  /** A daemon that was started anew asks again about what is served. */
  tellAgain(): void {
    if (this.#listener) this.#onState(this.#sandbox.path, 'serving');
  }

  /** Whether this is, or may become, the namespace with this inode; undefined: there is none. */
  isAt(ino: bigint | undefined): boolean {
    return this.#listener === undefined || this.#listener.ino === ino;
  }

  sweep(): void {
    this.#listener?.sweep();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#running;
    await this.#listener?.[Symbol.asyncDispose]();
  }
}
