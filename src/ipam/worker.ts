import { setTimeout as delay } from 'node:timers/promises';
import { Backoff, type Outage } from '../util/index.js';
import { isAway } from './attempts.js';

export interface WorkerOptions {
  /** One piece of work; true when there is more. */
  readonly step: () => Promise<boolean>;
  readonly onError: (error: unknown) => void;
  readonly random: () => number;
  /** Of the store, for all workers of this host. */
  readonly outage: Outage;
}

/** Runs steps one after another while there is work, and waits longer after each failure in a row. */
export class Worker implements AsyncDisposable {
  readonly #options: WorkerOptions;
  readonly #aborter = new AbortController();
  readonly #backoff: Backoff;
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #watchers: (() => void)[] = [];
  #again = false;
  #failing = false;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ minMs: 50, maxMs: 2000, random: options.random });
  }

  /** True when the last step failed: what is asked for now will take a while. */
  get failing(): boolean {
    return this.#failing;
  }

  /** There is work. `urgent`: somebody waits for it, so a wait after a failure ends now. */
  kick(urgent = false): void {
    if (this.#aborter.signal.aborted) return;
    this.#again = true;
    if (urgent) this.#wake?.();
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is left to do; a wait after a failure ends now. */
  async idle(): Promise<void> {
    this.#wake?.();
    await this.#running;
  }

  /** Resolves when nothing is left to do, or a step has failed. */
  async tried(): Promise<void> {
    if (!this.#running || this.#wake) return;
    await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    // One turn later, so that requests of the same turn share a step.
    await Promise.resolve();
    while (this.#again && !this.#aborter.signal.aborted) {
      this.#again = false;
      try {
        if (await this.#options.step()) this.#again = true;
        this.#backoff.reset();
        this.#failing = false;
        this.#options.outage.answered();
      } catch (error) {
        this.#again = true;
        this.#failing = true;
        this.#options.onError(error);
        this.#tellWatchers();
        await this.#pause(isAway(error));
      }
    }
    this.#options.outage.leave(this);
    this.#running = undefined;
    this.#tellWatchers();
  }

  #tellWatchers(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const tell of watchers) tell();
  }

  /** `storeIsAway`: one worker asks for it for all. */
  async #pause(storeIsAway: boolean): Promise<void> {
    if (this.#aborter.signal.aborted) return;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    const ms = this.#backoff.nextMs();
    const { outage } = this.#options;
    if (storeIsAway) {
      await outage.turn(this, ms, woken.signal);
    } else {
      // A refusal is an answer too.
      outage.answered();
      await delay(ms, undefined, { signal: woken.signal }).catch(() => undefined);
    }
    this.#wake = undefined;
  }
}
