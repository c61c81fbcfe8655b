import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterView, NetworkUser, Networks } from '../cluster/index.js';
import type { DockerEngine, DockerNetworkSettings } from '../docker/index.js';
import type { Bindings, Driver, NetworkBinding, RemovedNetwork } from '../driver/index.js';
import { Backoff, messageOf } from '../util/index.js';
import type { EventLog } from './event-log.js';
import type { ExpectedNetworks } from './expected-networks.js';
import type { Health } from './health.js';
import type { Log } from './log.js';
import { type AnnouncedNetwork, type Step, planNetworks } from './network-plan.js';

/** Without a hint of a change a comparison comes this often. */
const EVERY_MS = 15_000;
const RETRY = { minMs: 500, maxMs: 15_000 };
/** Rounds that each changed something follow one another at once so often; more of them change nothing for good. */
const MAX_AT_ONCE = 5;

export interface ClusterNetworksDeps {
  readonly engine: DockerEngine;
  readonly view: ClusterView;
  readonly bindings: Bindings;
  readonly networks: Networks;
  readonly expected: ExpectedNetworks;
  readonly driver: () => Driver;
  readonly events: EventLog;
  readonly health: Health;
  readonly log: Log;
  /** A host's name for people, from its id. */
  readonly nameOf: (hostId: string) => string;
  readonly hostId: string;
}

/**
 * Makes Docker's networks on this host those of the cluster: what was made on another host is made here, what was removed
 * goes. The decision is {@link planNetworks}'; this carries it out through the engine's API, one step after another, and says
 * what happened. While the store or the engine does not answer, nothing is judged.
 */
export class ClusterNetworks implements AsyncDisposable {
  readonly #deps: ClusterNetworksDeps;
  readonly #aborter = new AbortController();
  readonly #troubles = new Map<string, string>();
  /** Networks that stay away from this host, as the status says: names by id. */
  readonly #away = new Map<string, string>();
  #wake = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(deps: ClusterNetworksDeps) {
    this.#deps = deps;
  }

  /** Begins once `loaded` resolves: half of what the cluster has is no ground to remove anything. */
  start(loaded: Promise<boolean>): void {
    this.#deps.view.onNetworks(() => this.kick());
    this.#loop = loaded.then(async (isLoaded) => (isLoaded ? this.#run() : undefined));
  }

  /** Something may have changed. */
  kick(): void {
    this.#wake.abort();
  }

  /** Docker has this network here, and says this of it. */
  async seen({ dockerId, network }: NetworkBinding, docker: DockerNetworkSettings): Promise<void> {
    if (network.docker) return;
    const { events, driver } = this.#deps;
    const announced = await driver().announceNetwork(dockerId, docker);
    if (announced === 'name-taken') this.kick();
    if (
      announced !== 'announced' ||
      this.#deps.bindings.network(dockerId)?.network.docker === undefined
    )
      return;
    const text = `network "${docker.name}" was made here; every host gets it`;
    events.add({ code: 'NETWORK_ANNOUNCED', text, network: docker.name });
  }

  /** Docker has made a network. */
  made(dockerId: string): void {
    this.kick();
    const { engine, bindings, log } = this.#deps;
    const work = async (): Promise<void> => {
      const binding = bindings.network(dockerId);
      if (!binding || binding.network.docker) return;
      const detail = await engine.network(dockerId, this.#aborter.signal);
      if (detail) await this.seen(binding, detail.settings);
    };
    work().catch((err: unknown) => log.debug({ err }, 'network not announced; will be retried'));
  }

  /** Somebody removed a network here: everywhere, or, since others use it, only here. */
  removed({ id, name: known }: RemovedNetwork, usedBy: readonly NetworkUser[]): void {
    const { events, expected } = this.#deps;
    // One that went before Docker had told its name here.
    const name = known === id ? this.#nameOf(id) : known;
    expected.forgetGuess(id);
    if (usedBy.length === 0) {
      const text = `network "${name}" was removed here; no host uses it, so it goes from all of them`;
      events.add({ code: 'NETWORK_REMOVED', text, network: name });
      return;
    }
    const text = this.#keptElsewhere(name, usedBy);
    events.add({ code: 'NETWORK_KEPT_ELSEWHERE', level: 'warn', text, network: name });
    this.#noteAway(id, { name, text });
  }

  /** "api and db on h2, web on h3 (away; …)". */
  usersText(users: readonly NetworkUser[]): string {
    const { nameOf, view } = this.#deps;
    const live = new Set(view.hosts().map(({ id }) => id));
    return users
      .map(({ hostId, containers }) => {
        const host = nameOf(hostId);
        const away = `(away; "weft host rm ${host}" if it does not come back)`;
        return `${listed(containers)} on ${host}${live.has(hostId) ? '' : ` ${away}`}`;
      })
      .join(', ');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#loop;
  }

  #keptElsewhere(name: string, users: readonly NetworkUser[]): string {
    return (
      `network "${name}" was removed on this host alone: it is in use by ${this.usersText(users)}; ` +
      `it stays away from here until someone creates it here again`
    );
  }

  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    const backoff = new Backoff(RETRY);
    let changes = 0;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      const outcome = await this.#round();
      changes = outcome === 'changed' ? changes + 1 : 0;
      if (changes > 0 && changes < MAX_AT_ONCE) continue;
      const woken = AbortSignal.any([signal, this.#wake.signal]);
      if (outcome === 'done') {
        backoff.reset();
        await delay(EVERY_MS, undefined, { signal: woken }).catch(() => undefined);
      } else {
        await backoff.wait(woken).catch(() => undefined);
      }
    }
  }

  /** `changed`: look again at once. */
  async #round(): Promise<'changed' | 'done' | 'failed'> {
    const { engine, log, view, bindings, health } = this.#deps;
    const { signal } = this.#aborter;
    if (!health.store.reachable) return 'failed';
    try {
      const docker = await engine.networks(signal);
      await this.#refreshNotes();
      const shunned = new Set(bindings.shunned().keys());
      const bound = bindings.networks().map(({ dockerId, network }) => {
        return { dockerId, network, hasEndpoints: bindings.endpoints(dockerId).length > 0 };
      });
      const steps = planNetworks({ networks: view.allNetworks(), bound, docker, shunned });
      const results: boolean[] = [];
      for (const step of steps) results.push(await this.#carryOut(step));
      this.#forgetTroubles(steps);
      if (results.includes(false)) return 'failed';
      return steps.some((step) => !isStuck(step) && step.kind !== 'welcome') ? 'changed' : 'done';
    } catch (err) {
      if (!signal.aborted) log.debug({ err }, 'networks not compared; will be tried again');
      return 'failed';
    }
  }

  /** False when it did not work, which is said. */
  async #carryOut(step: Step): Promise<boolean> {
    const id = subjectOf(step);
    try {
      await this.#act(step);
      if (!isStuck(step)) this.#trouble(id, undefined);
      return true;
    } catch (error) {
      if (!this.#aborter.signal.aborted) this.#trouble(id, error);
      return false;
    }
  }

  async #act(step: Step): Promise<void> {
    const { engine, bindings, driver } = this.#deps;
    const { signal } = this.#aborter;
    switch (step.kind) {
      case 'create':
        return this.#create(step.network);
      case 'remove':
        await engine.removeNetwork(step.dockerId, signal);
        if (step.network.removed?.host === this.#deps.hostId) return;
        return this.#say('NETWORK_GONE', step.network.name, (name) => {
          const host = this.#deps.nameOf(step.network.removed?.host ?? '');
          return `network "${name}" was removed on ${host}; it is gone from this host too`;
        });
      case 'replace':
        return this.#replace(step.dockerId, step.by);
      case 'separate':
        return this.#separate(step.dockerId, step.network);
      case 'adopt':
        return driver().adoptNetwork(step.dockerId, step.network);
      case 'welcome':
        this.#noteAway(step.networkId, undefined);
        return bindings.welcome(step.networkId);
      case 'blocked':
        return this.#trouble(step.network.id, this.#blocked(step));
      case 'mistaken':
        this.#trouble(step.network.id, mistaken(step));
    }
  }

  async #create(network: AnnouncedNetwork): Promise<void> {
    const { engine, expected } = this.#deps;
    await expected.whileMaking(network, async () =>
      engine.createNetwork(network.docker, this.#aborter.signal),
    );
    this.#say('NETWORK_MADE', network.docker.name, (name) => {
      return `network "${name}", made on ${this.#deps.nameOf(network.createdBy)}, is on this host now`;
    });
  }

  async #replace(dockerId: string, by: AnnouncedNetwork): Promise<void> {
    const { engine, networks, bindings, events } = this.#deps;
    // The view may be behind: of two with one name, the store knows which has it.
    const owner = await networks.findByName(by.name);
    if (owner?.id !== by.id) return;
    const isAskedFor = bindings.shunned().has(by.id);
    await engine.removeNetwork(dockerId, this.#aborter.signal);
    await bindings.welcome(by.id);
    this.#noteAway(by.id, undefined);
    const host = this.#deps.nameOf(by.createdBy);
    const text = isAskedFor
      ? `network "${by.name}" of the cluster, made on ${host}, comes back to this host, since it was created here again`
      : `network "${by.name}" was made here and on ${host} at the same moment; that of ${host} stays, and takes the place of the one made here`;
    const level = isAskedFor ? 'info' : 'warn';
    events.add({ code: 'NETWORK_REPLACED', level, text, network: by.name });
  }

  /** It was taken for the cluster's `network`, which stays away from here as before. */
  async #separate(dockerId: string, network: AnnouncedNetwork): Promise<void> {
    const { engine, expected, events } = this.#deps;
    const { signal } = this.#aborter;
    const here = await engine.network(dockerId, signal);
    if (!here) return;
    await expected.withoutGuess(async () => {
      await engine.removeNetwork(dockerId, signal);
      try {
        await engine.createNetwork({ ...here.settings, pools: [] }, signal);
      } catch (error) {
        throw new Error(
          `network "${here.name}" could not be made anew with a subnet of its own; create it again: ${messageOf(error)}`,
          { cause: error },
        );
      }
    });
    const text =
      `network "${here.name}" had the subnet of "${network.name}", which was removed on this host alone; ` +
      `it was made anew with a subnet of its own`;
    events.add({ code: 'NETWORK_SEPARATED', level: 'warn', text, network: here.name });
  }

  #blocked({ network, dockerId }: Step & { readonly kind: 'blocked' }): Error {
    const { name } = network.docker ?? { name: network.name ?? network.id };
    return new Error(
      `network "${name}" of the cluster is not on this host: Docker has another network of that name here, ${dockerId.slice(0, 12)}; ` +
        `remove that one with "docker network rm ${dockerId.slice(0, 12)}", and weft makes the cluster's`,
    );
  }

  #say(code: string, name: string | undefined, text: (name: string) => string): void {
    if (name !== undefined) this.#deps.events.add({ code, text: text(name), network: name });
  }

  /** In the status as long as it is so, in the events once. */
  #trouble(networkId: string, error: unknown): void {
    const { events, health } = this.#deps;
    health.set(`NETWORK_NOT_HERE ${networkId}`, error);
    if (error === undefined) {
      this.#troubles.delete(networkId);
      return;
    }
    const text = messageOf(error);
    if (this.#troubles.get(networkId) === text) return;
    this.#troubles.set(networkId, text);
    const network = this.#nameOf(networkId);
    events.add({ code: 'NETWORK_NOT_HERE', level: 'warn', text, network });
  }

  /** A network's name for people, from its id in the cluster. */
  #nameOf(networkId: string): string {
    const { view, bindings } = this.#deps;
    const known = view.allNetworks().find(({ id }) => id === networkId);
    return known?.name ?? bindings.byNetworkId(networkId)?.network.name ?? networkId;
  }

  #forgetTroubles(steps: readonly Step[]): void {
    const current = new Set(steps.map(subjectOf));
    for (const id of this.#troubles.keys()) if (!current.has(id)) this.#trouble(id, undefined);
  }

  /** Who uses what was removed here changes. */
  async #refreshNotes(): Promise<void> {
    const { bindings, networks, events } = this.#deps;
    for (const [id, name] of this.#away) {
      if (bindings.shunned().has(id)) continue;
      this.#noteAway(id, undefined);
      const text = `network "${name}" of the cluster is on this host again`;
      if (bindings.byNetworkId(id)) events.add({ code: 'NETWORK_BACK', text, network: name });
    }
    for (const [id, name] of bindings.shunned()) {
      if (bindings.leaving(id)) continue;
      const users = await networks.users(id, { others: true });
      const text =
        users.length > 0
          ? this.#keptElsewhere(name, users)
          : `network "${name}" was removed on this host alone while others used it; create it here again to have it back, or remove it elsewhere`;
      this.#noteAway(id, { name, text });
    }
  }

  #noteAway(id: string, away: { readonly name: string; readonly text: string } | undefined): void {
    this.#deps.health.note(`NETWORK_KEPT_ELSEWHERE ${id}`, away?.text);
    if (away) this.#away.set(id, away.name);
    else this.#away.delete(id);
  }
}

/** Somebody has to do something first. */
function isStuck({ kind }: Step): boolean {
  return kind === 'blocked' || kind === 'mistaken';
}

function mistaken({ network, name }: Step & { readonly kind: 'mistaken' }): Error {
  return new Error(
    `network "${name}" on this host was taken for "${network.name}" of the cluster, and its containers are on that one; ` +
      `disconnect or stop them, and it is made anew with a subnet of its own`,
  );
}

function subjectOf(step: Step): string {
  if (step.kind === 'welcome') return step.networkId;
  return step.kind === 'replace' ? step.by.id : step.network.id;
}

/** "a", "a and b", "a, b and 3 more". */
function listed(names: readonly string[]): string {
  if (names.length > 5) return `${names.slice(0, 4).join(', ')} and ${names.length - 4} more`;
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}
