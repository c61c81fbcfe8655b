import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { EndpointNames } from '../cluster/index.js';
import {
  type DockerContainer,
  type DockerEngine,
  type DockerEvent,
  followEvents,
} from '../docker/index.js';
import { Backoff, messageOf } from '../util/index.js';
import type { Upstream } from '../dns/index.js';
import { labelsOf } from './container-labels.js';
import { namesOf, upstreamsOf } from './container-names.js';
import { Latest } from './latest.js';
import type { Log } from './log.js';

/** Without an event a comparison comes this often. */
const EVERY_MS = 15_000;
/** A container is asked about so often before the next comparison has to make good for it. */
const MAX_ATTEMPTS = 5;
/** Of which the engine answers all at once; but for one that starts, of which it says nothing before its start is done. */
const ASKED_AT_ONCE = 64;

export interface ContainersDeps {
  readonly engine: DockerEngine;
  /** By Docker's id of a network. */
  readonly isOurs: (dockerNetworkId: string) => boolean;
  /** What is known about endpoints of these networks, by Docker's ids, is another now. */
  readonly onChange: (dockerNetworkIds: ReadonlySet<string>) => void;
  /** After each whole comparison. */
  readonly onCompared: () => void;
  readonly log: Log;
}

/** A running container's place in our networks. */
export interface Placement {
  readonly sandboxKey: string | undefined;
  readonly endpoints: readonly PlacedEndpoint[];
  /** Whom it wants to have asked what weft does not know; undefined: as the settings say. */
  readonly upstreams?: readonly Upstream[];
}

export interface PlacedEndpoint {
  readonly id: string;
  /** Docker's. */
  readonly networkId: string;
  readonly names: EndpointNames;
  /** Those that policies may ask for; undefined where they are too many. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

interface Known {
  readonly placement: Placement;
  /** By the engine's clock, ms since 1970. */
  startedAt: number;
  /** Of the list, when it was asked about. */
  signature: string | undefined;
  /** When Docker last said that it runs, steady ms. */
  learnedAt: number;
}

/**
 * What the running containers of our networks are called. Events say whom to ask about; a comparison with the engine's list, after each
 * reconnection and every quarter of a minute, makes good for events that were lost.
 *
 * Never waited for inside a plugin call: the engine does not answer about a container before that call is done.
 */
export class Containers implements AsyncDisposable {
  readonly #deps: ContainersDeps;
  readonly #aborter = new AbortController();
  readonly #known = new Map<string, Known>();
  readonly #endpoints = new Map<string, PlacedEndpoint>();
  readonly #inspections: Latest<string | undefined>;
  #wake = new AbortController();
  #isCompared = false;
  #loops: Promise<void>[] = [];

  constructor(deps: ContainersDeps) {
    this.#deps = deps;
    setMaxListeners(ASKED_AT_ONCE * 4, this.#aborter.signal);
    this.#inspections = new Latest(
      async (id, signature) => this.#inspect(id, signature),
      (container, err) => {
        if (!this.#aborter.signal.aborted)
          deps.log.debug({ container, err }, 'container not asked about; will be tried again');
      },
      { atOnce: ASKED_AT_ONCE },
    );
  }

  start(): void {
    const { engine, log } = this.#deps;
    const { signal } = this.#aborter;
    const events = followEvents({
      socketPath: engine.socketPath,
      signal,
      onEvent: (event) => this.onEvent(event),
      onConnected: () => this.#wake.abort(),
      onLost: (err) => log.debug({ err }, 'docker event stream for names lost'),
    });
    this.#loops = [events, this.#run()];
  }

  /** Resolves when nobody is asked about any more. */
  async settled(): Promise<void> {
    await this.#inspections.idle();
  }

  /** Whether a whole comparison is done, so that what is not known here is not there. */
  get isCompared(): boolean {
    return this.#isCompared;
  }

  names(endpointId: string): EndpointNames | undefined {
    return this.#endpoints.get(endpointId)?.names;
  }

  labels(endpointId: string): Readonly<Record<string, string>> | undefined {
    return this.#endpoints.get(endpointId)?.labels;
  }

  placements(): Placement[] {
    return [...this.#known.values()].map(({ placement }) => placement);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await Promise.all(this.#loops);
    await this.settled();
  }

  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      await this.compare().catch((err: unknown) => {
        // DockerSync says when the engine does not answer.
        if (!signal.aborted) this.#deps.log.debug({ err }, 'containers not compared');
      });
      const woken = AbortSignal.any([signal, this.#wake.signal]);
      await delay(EVERY_MS, undefined, { signal: woken }).catch(() => undefined);
    }
  }

  /** What an event says is asked for, not believed, but for a container's end. */
  onEvent({ type, action, id, container, at }: DockerEvent): void {
    const about = type === 'container' ? id : container;
    if (about === undefined) return;
    // An end that is told late may be that of a run before this one.
    const isOver = at >= (this.#known.get(about)?.startedAt ?? 0);
    if ((action === 'die' || action === 'destroy') && isOver) this.#forget(about);
    else if (action === 'create') return;
    // The health of strangers is no news.
    else if (!action.startsWith('health_status') || this.#known.has(about)) {
      this.#inspections.set(about, undefined);
    }
  }

  /** One comparison with the engine's list. Throws when the engine does not answer. */
  async compare(): Promise<void> {
    const { engine, isOurs, onCompared } = this.#deps;
    const askedAt = performance.now();
    const running = await engine.containers(this.#aborter.signal);
    const ours = running.filter(({ networkIds }) => networkIds.some(isOurs));
    const ids = new Set(ours.map(({ id }) => id));
    // One that started while the list was made is not on it.
    for (const [id, { learnedAt }] of this.#known) {
      if (!ids.has(id) && learnedAt < askedAt) this.#forget(id);
    }
    for (const { id, signature } of ours) {
      if (this.#known.get(id)?.signature !== signature) this.#inspections.set(id, signature);
    }
    await this.settled();
    this.#isCompared = true;
    onCompared();
  }

  async #inspect(id: string, signature: string | undefined): Promise<void> {
    const { signal } = this.#aborter;
    const backoff = new Backoff({ minMs: 100, maxMs: 2000 });
    for (let attempt = 1; ; attempt += 1) {
      try {
        const container = await this.#deps.engine.container(id, signal);
        if (container?.isRunning === true) this.#learn(container, signature);
        else this.#forget(id);
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (attempt === MAX_ATTEMPTS) throw error;
        await backoff.wait(signal);
      }
    }
  }

  #learn(container: DockerContainer, signature: string | undefined): void {
    const labels = labelsOf(container);
    const endpoints = container.attachments
      .filter(({ networkId }) => this.#deps.isOurs(networkId))
      .map((attachment) => ({
        id: attachment.endpointId,
        networkId: attachment.networkId,
        names: namesOf(container, attachment),
        labels,
      }));
    const { startedAt } = container;
    const learnedAt = performance.now();
    const { upstreams, complaint } = upstreamsWanted(container);
    const placement: Placement = {
      sandboxKey: container.sandboxKey,
      endpoints,
      ...(upstreams && { upstreams }),
    };
    const before = this.#known.get(container.id);
    if (before && JSON.stringify(before.placement) === JSON.stringify(placement)) {
      before.signature = signature;
      before.startedAt = startedAt;
      before.learnedAt = learnedAt;
      return;
    }
    const { name } = container;
    if (!labels && endpoints.length > 0) {
      this.#deps.log.warn(
        { container: name },
        'labels are too many or too long for policies: on networks with policy nothing passes for it',
      );
    }
    if (complaint !== undefined) {
      this.#deps.log.warn({ container: name }, `label weft.dns.upstream not used: ${complaint}`);
    }
    this.#replace(
      container.id,
      endpoints.length > 0 ? { placement, startedAt, signature, learnedAt } : undefined,
    );
  }

  #forget(id: string): void {
    this.#replace(id, undefined);
  }

  #replace(id: string, known: Known | undefined): void {
    const before = this.#known.get(id)?.placement.endpoints ?? [];
    const after = known?.placement.endpoints ?? [];
    for (const endpoint of before) this.#endpoints.delete(endpoint.id);
    for (const endpoint of after) this.#endpoints.set(endpoint.id, endpoint);
    if (known) this.#known.set(id, known);
    else this.#known.delete(id);
    const changed = new Set([...before, ...after].map(({ networkId }) => networkId));
    if (changed.size > 0) this.#deps.onChange(changed);
  }
}

function upstreamsWanted(container: DockerContainer): {
  readonly upstreams?: readonly Upstream[] | undefined;
  readonly complaint?: string;
} {
  try {
    return { upstreams: upstreamsOf(container) };
  } catch (error) {
    return { complaint: messageOf(error) };
  }
}
