import { randomBytes, randomInt } from 'node:crypto';
import type { Op, Store } from '../store/index.js';
import { parseVni } from '../net/index.js';
import { Backoff } from '../util/index.js';
import {
  type DockerSettings,
  type EndpointRecord,
  type NetworkDocument,
  keys,
  parseClaim,
} from './documents.js';
import { ClusterError, nameTaken, networkGone, vniTaken } from './errors.js';
import {
  type NetworkRemoval,
  type NetworkUser,
  networkUsers,
  networksOf,
} from './network-members.js';
import {
  type Found,
  assertName,
  claimAgain,
  claimOp,
  findNetwork,
  insert,
  ownerOf,
  replace,
  setEndpoints,
  unclaim,
} from './network-ops.js';

export interface VniRange {
  readonly first: number;
  /** Inclusive. */
  readonly last: number;
}

/** Above what Docker's own overlay uses (it counts up from 4,096), so that both can run on one underlay. */
const VNI_RANGE: VniRange = { first: 0x10_00_00, last: 0xff_ff_ff };

/** A host that closes a network is done in milliseconds; one that is not after this long has died. */
const CLOSING_MS = 5000;

/** Waits for a host that closes a network, or repeats what another host was quicker in. */
const RETRY = { minMs: 10, maxMs: 500 };

export interface NewNetwork {
  readonly name?: string;
  readonly mtu?: number;
  readonly policy?: 'isolated';
  readonly internal: boolean;
  readonly pools: NetworkDocument['pools'];
}

export interface NetworksOptions {
  /** New networks get their VNI from here. */
  readonly vnis?: VniRange;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  /** Steady milliseconds. */
  readonly uptime?: () => number;
}

export interface WaitOptions {
  readonly signal: AbortSignal;
}

/**
 * Networks in the shared store, as this host creates, joins and leaves them.
 *
 * A network lives as long as one host has it: its creator does from the transaction on that creates it. One that was announced to the
 * cluster also goes when somebody removes it while no host has an endpoint on it; then its document says so until no host
 * has it any more, so that those that are away hear of it.
 *
 * Who removes a network marks it as closing, looks again, and removes it; a joiner's write rests on the document being unchanged, so
 * that of the two only one succeeds. A mark that stays for CLOSING_MS was left by a host that died, and is taken over.
 * An endpoint that comes after all this brings the network back: nobody loses a container's network.
 */
export class Networks {
  readonly #store: Store;
  readonly #hostId: string;
  readonly #vnis: VniRange;
  readonly #clock: () => number;
  readonly #uptime: () => number;
  /** Versions of networks that nobody was closing when this host published last. */
  readonly #open = new Map<string, number>();

  constructor(store: Store, hostId: string, options: NetworksOptions = {}) {
    this.#store = store;
    this.#hostId = hostId;
    this.#vnis = options.vnis ?? VNI_RANGE;
    this.#clock = options.clock ?? Date.now;
    this.#uptime = options.uptime ?? (() => performance.now());
  }

  /** Undefined also when it was removed. */
  async get(id: string): Promise<NetworkDocument | undefined> {
    const document = (await findNetwork(this.#store, id))?.document;
    return document?.removed ? undefined : document;
  }

  async findByName(name: string): Promise<NetworkDocument | undefined> {
    assertName(name);
    const claim = await this.#store.get(keys.name(name));
    const owner = claim && parseClaim(claim.value);
    return owner === undefined ? undefined : this.get(owner);
  }

  /** Makes a network that this host has, with no endpoints yet. Throws NAME_TAKEN when another network has the name. */
  async create(network: NewNetwork): Promise<NetworkDocument> {
    if (network.name !== undefined) assertName(network.name);
    for (let attempt = 0; attempt < 16; attempt += 1) {
      const document: NetworkDocument = {
        ...network,
        id: randomBytes(6).toString('hex'),
        vni: parseVni(randomInt(this.#vnis.first, this.#vnis.last + 1)),
        createdBy: this.#hostId,
        createdAt: new Date(this.#clock()).toISOString(),
      };
      const outcome = await this.#store.transact([
        ...insert(document),
        ...this.#setEndpoints(document.id, [], 0),
      ]);
      if (outcome.ok) return document;
      if (network.name === undefined) continue;
      const owner = await ownerOf(this.#store, keys.name(network.name));
      if (owner !== undefined) throw nameTaken(network.name, owner);
    }
    throw new ClusterError({ code: 'NO_FREE_VNI' }, 'found no free VNI in 16 random attempts');
  }

  /**
   * Makes this host have a network that is there; its endpoints stay as they are if it had it already. Waits while another
   * host closes it; throws NETWORK_GONE when that host removed it.
   */
  async join(id: string, { signal }: WaitOptions): Promise<NetworkDocument> {
    return this.#whileOpen(id, signal, async (found) => {
      if (!found || found.document.removed) throw networkGone(id);
      const outcome = await this.#store.transact([
        { op: 'check', key: found.entry.key, ifVersion: found.entry.version },
        ...this.#setEndpoints(id, [], 0),
      ]);
      return outcome.ok || outcome.index === 1 ? found.document : undefined;
    });
  }

  /**
   * Gives a network the name that Docker has for it. False when another network has the name, or this one has another.
   * Throws NETWORK_GONE.
   */
  async name(id: string, name: string): Promise<boolean> {
    assertName(name);
    for (;;) {
      const found = await this.#findOpen(id);
      if (found.document.name !== undefined) return found.document.name === name;
      const outcome = await this.#store.transact([
        claimOp(keys.name(name), id),
        replace(found, { ...found.document, name }),
      ]);
      if (outcome.ok) return true;
      if (outcome.index === 0) return false;
    }
  }

  /**
   * Announces a network that has a name to the cluster, as Docker on this host knows it: every host is to have it. What was
   * announced first stays. Throws NETWORK_GONE.
   */
  async announce(id: string, docker: DockerSettings): Promise<NetworkDocument> {
    for (;;) {
      const found = await this.#findOpen(id);
      if (found.document.docker) return found.document;
      const document = { ...found.document, docker };
      const outcome = await this.#store.transact([replace(found, document)]);
      if (outcome.ok) return document;
    }
  }

  /**
   * Makes known that this host has the network, with these endpoints. A network that the store has lost is put back as
   * `document` says, without its name if that is another's by now; throws VNI_TAKEN when its VNI is. So is one that was removed,
   * but only for an endpoint. Waits while another host closes it.
   */
  async publish(
    document: NetworkDocument,
    endpoints: readonly EndpointRecord[],
    { signal }: WaitOptions,
  ): Promise<void> {
    if (await this.#publishAgain(document.id, endpoints)) return;
    await this.#whileOpen(document.id, signal, async (found) => {
      if (!found) return this.#restore(document, endpoints);
      if (found.document.removed) {
        return endpoints.length === 0 ? true : this.#restore(document, endpoints, found);
      }
      const outcome = await this.#store.transact([
        { op: 'check', key: found.entry.key, ifVersion: found.entry.version },
        ...this.#setEndpoints(document.id, endpoints),
      ]);
      if (outcome.ok) this.#open.set(document.id, found.entry.version);
      return outcome.ok ? true : undefined;
    });
  }

  /** Without a look at the network, which is as it was when this host published last: that it is, is part of the transaction. */
  async #publishAgain(id: string, endpoints: readonly EndpointRecord[]): Promise<boolean> {
    const ifVersion = this.#open.get(id);
    if (ifVersion === undefined) return false;
    const outcome = await this.#store.transact([
      { op: 'check', key: keys.network(id), ifVersion },
      ...this.#setEndpoints(id, endpoints),
    ]);
    if (!outcome.ok) this.#open.delete(id);
    return outcome.ok;
  }

  /**
   * Removes the network for good, if no host has an endpoint on it. Else `leave` says what becomes of this host: it has the network no
   * more, or nothing changes. With `leave`, one that was not announced is just left. Removing twice is fine.
   */
  async remove(
    id: string,
    { signal, leave }: WaitOptions & { readonly leave: boolean },
  ): Promise<NetworkRemoval> {
    return this.#whileOpen(id, signal, async (found) => {
      let by = await this.users(id, { others: leave });
      if (by.length > 0 && leave) await this.leave(id, { signal });
      if (by.length > 0) return { kind: 'in-use', by };
      if (leave && found && !found.document.docker) {
        await this.leave(id, { signal });
        return { kind: 'left' };
      }
      if (found && !found.document.removed) {
        const marked = await this.#mark(found);
        if (!marked) return undefined;
        by = await this.users(id, { others: leave });
        if (by.length > 0) {
          await this.#unmark(marked);
          return undefined;
        }
        if (!(await this.#bury(marked))) return undefined;
      }
      if (leave) await this.leave(id, { signal });
      else await this.#goWhenEmpty(id, signal);
      const { host = this.#hostId } = found?.document.removed ?? {};
      return { kind: found && host === this.#hostId ? 'removed' : 'gone' };
    });
  }

  /** The hosts that have endpoints on the network; with `others`, but for this one. */
  async users(id: string, { others = false } = {}): Promise<NetworkUser[]> {
    const users = await networkUsers(this.#store, id);
    return others ? users.filter(({ hostId }) => hostId !== this.#hostId) : users;
  }

  /** Puts back its name and VNI, which the store has lost. Throws VNI_TAKEN, NAME_TAKEN when they are another's by now. */
  async claim(id: string): Promise<void> {
    await claimAgain(this.#store, id);
  }

  /** This host has the network no more; with the last one the network goes. Leaving twice is fine. */
  async leave(id: string, { signal }: WaitOptions): Promise<void> {
    await this.#takeOut(id, this.#hostId, signal);
  }

  /** Another host has no network any more: it was removed from the cluster. */
  async expel(host: string, { signal }: WaitOptions): Promise<void> {
    for (const id of await networksOf(this.#store, host)) await this.#takeOut(id, host, signal);
  }

  async #takeOut(id: string, host: string, signal: AbortSignal): Promise<void> {
    this.#open.delete(id);
    await this.#store.transact([
      { op: 'delete', key: keys.endpoints(id, host) },
      { op: 'delete', key: keys.head(id, host) },
    ]);
    await this.#goWhenEmpty(id, signal);
  }

  async #goWhenEmpty(id: string, signal: AbortSignal): Promise<void> {
    await this.#whileOpen(id, signal, async (found) => {
      if (!found || (await this.#hasMembers(id))) return true;
      const marked = await this.#mark(found);
      if (!marked) return undefined;
      if (!(await this.#hasMembers(id))) return this.#remove(marked);
      await this.#unmark(marked);
      return true;
    });
  }

  /** Ids of the networks that this host has, as the store knows it. */
  async memberships(): Promise<string[]> {
    return networksOf(this.#store, this.#hostId);
  }

  /**
   * Repeats `act`, on a document that nobody is closing, until it answers something; it does not when another host was
   * quicker. A mark of this host was left when it died, one that another host leaves for too long as well: both are taken
   * off first, which ends what their owner may still have under way.
   */
  async #whileOpen<T>(
    id: string,
    signal: AbortSignal,
    act: (found: Found | undefined) => Promise<T | undefined>,
  ): Promise<T> {
    const backoff = new Backoff(RETRY);
    let mark = { version: 0, since: 0 };
    for (;;) {
      signal.throwIfAborted();
      const found = await findNetwork(this.#store, id);
      const closing = found?.document.closing;
      if (!found || !closing) {
        const result = await act(found);
        if (result !== undefined) return result;
      } else {
        const { version } = found.entry;
        if (mark.version !== version) mark = { version, since: this.#uptime() };
        const isDead = this.#uptime() - mark.since > CLOSING_MS;
        if (isDead || closing.host === this.#hostId) {
          await this.#unmark(found);
          continue;
        }
      }
      await backoff.wait(signal);
    }
  }

  /** Throws NETWORK_GONE. */
  async #findOpen(id: string): Promise<Found> {
    const found = await findNetwork(this.#store, id);
    if (!found || found.document.removed) throw networkGone(id);
    return found;
  }

  async #hasMembers(id: string): Promise<boolean> {
    return (await this.#store.list(keys.endpointsOf(id))).length > 0;
  }

  /** Puts back what is missing of a network, with this host in it. Undefined: look again. */
  async #restore(
    { closing: _, removed: __, name, ...document }: NetworkDocument,
    endpoints: readonly EndpointRecord[],
    grave?: Found,
  ): Promise<true | undefined> {
    const vniOwner = await ownerOf(this.#store, keys.vni(document.vni));
    if (vniOwner !== undefined && vniOwner !== document.id) throw vniTaken(document, vniOwner);
    const nameOwner = name === undefined ? undefined : await ownerOf(this.#store, keys.name(name));
    const mayHaveName = name !== undefined && (nameOwner ?? document.id) === document.id;
    const lost = mayHaveName ? { ...document, name } : document;
    const there = new Set<string>();
    if (vniOwner !== undefined) there.add(keys.vni(document.vni));
    if (nameOwner !== undefined && mayHaveName) there.add(keys.name(name));
    const version = grave?.entry.version ?? 0;
    const outcome = await this.#store.transact([
      ...insert(lost, version).filter(({ key }) => !there.has(key)),
      ...this.#setEndpoints(document.id, endpoints),
    ]);
    return outcome.ok || undefined;
  }

  #setEndpoints(network: string, endpoints: readonly EndpointRecord[], ifVersion?: number): Op[] {
    return setEndpoints({ network, host: this.#hostId, endpoints }, ifVersion);
  }

  async #mark(found: Found): Promise<Found | undefined> {
    const closing = { host: this.#hostId, since: Math.round(this.#clock()) };
    const document = { ...found.document, closing };
    const outcome = await this.#store.transact([replace(found, document)]);
    if (!outcome.ok) return undefined;
    const version = outcome.versions.get(found.entry.key) ?? 0;
    return { entry: { ...found.entry, version }, document };
  }

  async #unmark(found: Found): Promise<void> {
    const { closing: _, ...open } = found.document;
    await this.#store.transact([replace(found, open)]);
  }

  async #remove({ entry, document }: Found): Promise<true | undefined> {
    // What was removed before has given its name and VNI away; they may be another's.
    const claims = document.removed ? [] : await unclaim(this.#store, document);
    const outcome = await this.#store.transact([
      { op: 'delete', key: entry.key, ifVersion: entry.version },
      ...claims,
    ]);
    return outcome.ok || undefined;
  }

  /** Leaves a document that says that the network is gone; without it, a host that was away would bring it back. */
  async #bury(found: Found): Promise<true | undefined> {
    const { closing: _, ...rest } = found.document;
    const removed = { host: this.#hostId, at: new Date(this.#clock()).toISOString() };
    const outcome = await this.#store.transact([
      replace(found, { ...rest, removed }),
      ...(await unclaim(this.#store, found.document)),
    ]);
    return outcome.ok || undefined;
  }
}
