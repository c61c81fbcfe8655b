import { setTimeout as delay } from 'node:timers/promises';
import {
  type DockerEngine,
  type DockerNetwork,
  type DockerNetworkDetail,
  type DockerNetworkSettings,
  followEvents,
} from '../docker/index.js';
import type { Bindings, EndpointBinding, NetworkBinding } from '../driver/index.js';
import type { Log } from './log.js';

/** Without an event a comparison comes this often. */
const EVERY_MS = 15_000;
/** Events come in bursts, five for one container; one comparison serves them. */
const SETTLE_MS = 300;
/** Docker lists what it creates only after our call has returned; what is missing for this long is gone. */
const GRACE_MS = 30_000;

export interface DockerSyncDeps {
  readonly engine: DockerEngine;
  readonly bindings: Bindings;
  /** A network that Docker no longer has. */
  readonly onNetworkGone: (binding: NetworkBinding) => Promise<void>;
  /** An endpoint that Docker no longer has. */
  readonly onEndpointGone: (endpoint: EndpointBinding) => Promise<void>;
  /** What Docker says of a network, told on each comparison. */
  readonly onNetworkSeen: (binding: NetworkBinding, seen: DockerNetworkSettings) => Promise<void>;
  /** The container behind an endpoint has a name that was not known. */
  readonly onEndpointNamed: (endpoint: EndpointBinding, name: string) => Promise<void>;
  /** Docker has made a network; a comparison follows in a moment. Must not throw. */
  readonly onNetworkMade: (dockerId: string) => void;
  /** After each whole comparison: the bindings hold what Docker has, and what is too young to judge. */
  readonly onCompared: () => Promise<void>;
  /** At each turn: undefined when the engine answers, else why not. */
  readonly onReachable: (error: unknown) => void;
  readonly log: Log;
  readonly clock?: () => number;
}

/**
 * Compares what weft holds with what Docker has, since calls can get lost: an engine that is killed never says what it forgot.
 *
 * Events only say when to look. While the engine does not answer, nothing is judged.
 */
export class DockerSync implements AsyncDisposable {
  readonly #deps: DockerSyncDeps;
  readonly #clock: () => number;
  readonly #aborter = new AbortController();
  readonly #missingSince = new Map<string, number>();
  #names: ReadonlyMap<string, string> = new Map();
  #loops: Promise<void>[] = [];
  #wake = new AbortController();
  #networks: readonly DockerNetwork[] = [];
  #reachable: boolean | undefined;

  constructor(deps: DockerSyncDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? (() => performance.now());
  }

  start(): void {
    const { signal } = this.#aborter;
    const { socketPath } = this.#deps.engine;
    const events = followEvents({
      socketPath,
      signal,
      onEvent: ({ type, action, id }) => {
        this.#wake.abort();
        if (type === 'network' && action === 'create') this.#deps.onNetworkMade(id);
      },
      onConnected: () => this.#wake.abort(),
      onLost: (error) => this.#deps.log.debug({ err: error }, 'docker event stream lost'),
    });
    this.#loops = [events, this.#run()];
  }

  /** All of the engine's networks as last seen; empty before the first look. */
  networks(): readonly DockerNetwork[] {
    return this.#networks;
  }

  /** Names of the containers behind endpoints, as last seen, by endpoint id. */
  containerName(endpointId: string): string | undefined {
    return this.#names.get(endpointId);
  }

  /** Compares soon, as after an event. */
  look(): void {
    this.#wake.abort();
  }

  get isReachable(): boolean {
    return this.#reachable === true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await Promise.all(this.#loops);
  }

  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      try {
        await this.compare();
        this.#turn(undefined);
      } catch (error) {
        if (!signal.aborted) this.#turn(error);
      }
      const woken = AbortSignal.any([signal, this.#wake.signal]);
      await delay(EVERY_MS, undefined, { signal: woken }).catch(() => undefined);
      await delay(SETTLE_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** One comparison. Throws when the engine does not answer. */
  async compare(): Promise<void> {
    const { engine, bindings } = this.#deps;
    const { signal } = this.#aborter;
    this.#networks = await engine.networks(signal);
    const seen = new Set(this.#networks.map((network) => network.id));
    const names = new Map<string, string>();
    for (const binding of bindings.networks()) {
      const detail = seen.has(binding.dockerId)
        ? await engine.network(binding.dockerId, signal)
        : undefined;
      await this.#apart(binding.network.id, async () => {
        if (detail) await this.#compareNetwork(binding, detail, names);
        else if (this.#goneFor(binding.dockerId)) await this.#deps.onNetworkGone(binding);
      });
    }
    this.#names = names;
    await this.#apart('all networks', async () => this.#deps.onCompared());
  }

  /** What goes wrong with one network is no reason to leave the others alone, or to say that Docker does not answer. */
  async #apart(network: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (err) {
      if (!this.#aborter.signal.aborted) {
        this.#deps.log.warn({ network, err }, 'not compared with docker; will be tried again');
      }
    }
  }

  async #compareNetwork(
    binding: NetworkBinding,
    detail: DockerNetworkDetail,
    names: Map<string, string>,
  ): Promise<void> {
    const { bindings, onNetworkSeen, onEndpointNamed, onEndpointGone } = this.#deps;
    this.#missingSince.delete(binding.dockerId);
    await onNetworkSeen(binding, detail.settings);
    const live = new Map(detail.endpoints.map((e) => [e.endpointId, e.containerName]));
    for (const [id, name] of live) names.set(id, name);
    for (const endpoint of bindings.endpoints(binding.dockerId)) {
      const name = live.get(endpoint.id);
      if (name !== undefined) this.#missingSince.delete(endpoint.id);
      if (name && name !== endpoint.name) await onEndpointNamed(endpoint, name);
      if (name === undefined && this.#goneFor(endpoint.id)) await onEndpointGone(endpoint);
    }
  }

  /** True when this was missing at each comparison for the whole grace. */
  #goneFor(id: string): boolean {
    const since = this.#missingSince.get(id);
    if (since === undefined) this.#missingSince.set(id, this.#clock());
    if (since === undefined || this.#clock() - since < GRACE_MS) return false;
    this.#missingSince.delete(id);
    return true;
  }

  #turn(error: unknown): void {
    const isReachable = error === undefined;
    if (this.#reachable === isReachable) return;
    this.#reachable = isReachable;
    this.#deps.onReachable(error);
    if (isReachable) this.#deps.log.info('docker answers');
    else this.#deps.log.warn({ err: error }, 'docker does not answer; names and leaks wait for it');
  }
}
