import { setTimeout as delay } from 'node:timers/promises';
import type { Address } from '../net/index.js';
import { type Monitor, type RouteMonitorOptions, openRouteMonitor } from '../netlink/index.js';
import type { UnderlayChoice } from './underlay.js';

/** One change of a link comes as several messages, and a manager of networks makes several changes. */
const SETTLE_MS = 300;
/** Without a message a look comes this often: the kernel may have dropped some. */
const EVERY_MS = 30_000;
/** Another address counts when it was there for this long: a link that flaps comes back with its own. */
const STEADY_MS = 3000;

export interface UnderlayWatchOptions {
  readonly first: UnderlayChoice;
  /** What the kernel has now. Throws NO_UNDERLAY. */
  readonly read: () => Promise<UnderlayChoice>;
  /** The link, address or MTU is another one. What it throws has it called again. */
  readonly onChange: (now: UnderlayChoice, before: UnderlayChoice) => Promise<void>;
  /** Why the underlay is not as it should be; undefined when it is. */
  readonly onState: (error: unknown) => void;
  readonly monitor?: (options: RouteMonitorOptions) => Promise<Monitor>;
}

/** The underlay as it is now. While there is none, it stays as it was: a cable that is out goes back in. */
export class UnderlayWatch implements UnderlayChoice, AsyncDisposable {
  readonly #options: UnderlayWatchOptions;
  readonly #aborter = new AbortController();
  #choice: UnderlayChoice;
  #wake = new AbortController();
  #monitor: Monitor | undefined;
  #other: { readonly vtep: Address; readonly since: number } | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(options: UnderlayWatchOptions) {
    this.#options = options;
    this.#choice = options.first;
  }

  get linkIndex(): number {
    return this.#choice.linkIndex;
  }

  get linkName(): string {
    return this.#choice.linkName;
  }

  get vtep(): Address {
    return this.#choice.vtep;
  }

  get mtu(): number {
    return this.#choice.mtu;
  }

  get reason(): string {
    return this.#choice.reason;
  }

  start(): void {
    this.#loop = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#loop;
    this.#monitor?.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      let againMs = EVERY_MS;
      try {
        await this.#listen();
        againMs = await this.#look();
        if (!signal.aborted) this.#options.onState(undefined);
      } catch (error) {
        this.#options.onState(error);
      }
      const woken = AbortSignal.any([signal, this.#wake.signal]);
      await delay(againMs, undefined, { signal: woken }).catch(() => undefined);
      await delay(SETTLE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #listen(): Promise<void> {
    this.#monitor ??= await (this.#options.monitor ?? openRouteMonitor)({
      groups: ['link', 'address', 'route'],
      onEvent: () => this.#wake.abort(),
      onError: () => {
        this.#monitor = undefined;
        this.#wake.abort();
      },
    });
  }

  /** Answers when to look again. */
  async #look(): Promise<number> {
    const now = await this.#options.read();
    const before = this.#choice;
    const { vtep } = now;
    if (vtep !== before.vtep) {
      const since = this.#other?.vtep === vtep ? this.#other.since : performance.now();
      this.#other = { vtep, since };
      const leftMs = since + STEADY_MS - performance.now();
      if (leftMs > 0) return leftMs;
    }
    this.#other = undefined;
    const isSame =
      vtep === before.vtep && now.mtu === before.mtu && now.linkName === before.linkName;
    this.#choice = now;
    if (isSame) return EVERY_MS;
    try {
      await this.#options.onChange(now, before);
    } catch (error) {
      this.#choice = before;
      throw error;
    }
    return EVERY_MS;
  }
}
