import { once } from 'node:events';
import type { Address } from '../net/index.js';
import { KeyedMutex, hasCode } from '../util/index.js';
import { type Context, attempt, isAway, patienceOf, unavailable } from './attempts.js';
import { unknownPool } from './block-table.js';
import { Allocator } from './allocator.js';
import { Bound } from './bound.js';
import { type Pool, keys } from './documents.js';
import { IpamError } from './errors.js';
import type { LocalPool } from './local-pool.js';
import {
  assertNotInUse,
  assertUsable,
  fromOthersReserve,
  giveFromReserve,
  inReserve,
  othersReserves,
  takeNamed,
} from './named.js';
import { alreadyAside, setAside } from './set-aside.js';
import { Share } from './share.js';
import { WaitingLine } from './waiting-line.js';
import { askFor } from './wanted.js';
import { Worker } from './worker.js';

/** How long a release waits for the store to have it; then it is written later. */
const RELEASE_WAIT_MS = 1500;

export interface HostPoolDeps {
  readonly context: Context;
  readonly local: LocalPool;
  /** Which endpoint on this host uses which address, as the driver says. */
  readonly attached: ReadonlyMap<Address, string>;
  /** Makes the pool and this host's mark in the store what `local` says. */
  readonly publish: (local: LocalPool, signal: AbortSignal) => Promise<void>;
  /** This host has the pool no more: gives everything up, in the store and on disk. */
  readonly leave: (pool: HostPool, signal: AbortSignal) => Promise<void>;
}

/**
 * This host's addresses in one pool.
 *
 * A request is answered from the reserve when there is one: this host's disk remembers it, the shared store hears of it
 * afterwards. Otherwise it waits in line, and one write to the store serves all that wait. Writes to the store are made one
 * at a time.
 */
export class HostPool implements AsyncDisposable {
  readonly share: Share;
  readonly local: LocalPool;
  readonly #context: Context;
  readonly #deps: HostPoolDeps;
  readonly #worker: Worker;
  readonly #mutex = new KeyedMutex();
  readonly #asking = new KeyedMutex();
  readonly #line: WaitingLine;
  readonly #allocator: Allocator;
  readonly #aborter = new AbortController();
  readonly #releasing = new Map<Address, (() => void)[]>();
  #publishing = false;
  #reported: string | undefined;
  #trouble: unknown = new Error('it answers too slowly');

  constructor(deps: HostPoolDeps) {
    const { context, local, attached } = deps;
    this.#context = context;
    this.#deps = deps;
    this.local = local;
    this.share = new Share(context, local, attached, (address) => this.#freed(address));
    this.#line = new WaitingLine(context.patienceMs, () =>
      unavailable(`get an address of pool ${local.id}`, this.#trouble),
    );
    this.#allocator = new Allocator(this.share, this.#line, this.#aborter.signal);
    this.#worker = new Worker({
      random: context.random,
      outage: context.outage,
      step: async () => this.exclusively(async () => this.#step()),
      onError: (error) => this.#onError(error),
    });
  }

  /** Starts what is left over from before. */
  start(): void {
    this.#publishing ||= this.local.isMember;
    this.#worker.kick();
  }

  /** Any address. */
  async request(signal: AbortSignal): Promise<Address> {
    this.#assertMember();
    this.#noteCreated();
    const atOnce = this.#reservedAddress() ?? this.#reusableAddress();
    if (atOnce !== undefined) return this.#giveAtOnce(atOnce);
    using bound = new Bound(signal, patienceOf(this.#context));
    const silent = new Set<string>();
    for (;;) {
      try {
        const waiting = this.#line.join(bound.signal);
        this.#worker.kick(true);
        return await waiting;
      } catch (error) {
        if (!hasCode(error, 'POOL_FULL')) throw error;
        const handed = await this.#fromOthersReserve(silent, bound.signal);
        if (handed !== undefined) return handed;
        if (othersReserves(this.share, silent).length === 0 || bound.signal.aborted) throw error;
      }
    }
  }

  /** This address, for an endpoint. Throws ADDRESS_TAKEN, ADDRESS_OUT_OF_POOL. */
  async requestNamed(address: Address, signal: AbortSignal): Promise<Address> {
    this.#assertMember();
    this.#noteCreated();
    assertUsable(this.share, address);
    assertNotInUse(this.share, this.local.pool, address);
    const { held, reserve, freed } = this.local;
    const reserved = reserve.has(address) && !freed.has(address);
    if (reserved || this.share.isReusable(address)) return this.#giveAtOnce(address);
    // Docker asks again for what it lost track of: nobody uses it.
    if (held.has(address) && !freed.has(address)) return this.#giveAtOnce(address);
    const key = keys.block(this.local.id, this.share.layout.baseOf(address));
    try {
      await attempt(this.#context, { what: `get ${address}`, key, signal }, async (bounded) => {
        let owner = await this.exclusively(async () => takeNamed(this.share, address, bounded));
        if (owner === undefined) return true;
        await this.#ask(address, owner, bounded);
        owner = await this.exclusively(async () => takeNamed(this.share, address, bounded));
        if (owner === undefined) return true;
        throw inReserve(address, this.#context.nameOf(owner));
      });
      return address;
    } finally {
      this.#worker.kick();
    }
  }

  /** Never fails: what can't be written now is written later. */
  async release(address: Address, signal: AbortSignal): Promise<void> {
    const { pool, isMember } = this.local;
    const shared = address === pool.gateway || pool.aux.includes(address);
    if (!isMember || shared || !this.share.layout.isUsable(address)) return;
    const later = (): void => {
      this.#free(address, this.#aborter.signal).catch(() => this.#worker.kick());
    };
    if (!this.share.unsettled.putOff(address, later)) await this.#free(address, signal);
  }

  async #free(address: Address, signal: AbortSignal): Promise<void> {
    const { freed } = this.local;
    const done = new Promise<void>((resolve) => {
      const waiting = this.#releasing.get(address) ?? [];
      this.#releasing.set(address, [...waiting, resolve]);
    });
    freed.set(address, this.#context.now());
    await this.local.save();
    this.#worker.kick(true);
    await this.#forAMoment(signal, done);
  }

  /** Docker's network exists here now. */
  async networkCreated(publish: () => Promise<void>): Promise<void> {
    this.local.host = { ...this.local.host, created: true };
    await this.local.save();
    await publish();
    this.#worker.kick();
  }

  /** The pool was granted once more, to a network that knows nothing of what was here before. */
  async rejoin(pool: Pool, host: LocalPool['host']): Promise<void> {
    const { local } = this;
    local.pool = pool;
    local.host = host;
    local.reserve.clear();
    this.share.unsettled.clear();
    for (const address of local.held.keys()) local.freed.set(address, this.#context.now());
    this.share.table.forgetAll();
    await local.save();
    this.#worker.kick();
  }

  /** Takes back one grant; with the last one this host leaves the pool. */
  async dropGrant(grant: string, signal: AbortSignal): Promise<void> {
    const { [grant]: dropped, ...grants } = this.local.host.grants;
    if (dropped === undefined) return;
    await this.dropGrants(grants, signal);
  }

  async dropGrants(grants: Readonly<Record<string, number>>, signal: AbortSignal): Promise<void> {
    const { local } = this;
    if (Object.keys(grants).length > 0) {
      local.host = { ...local.host, grants };
      this.#publishing = true;
      await local.save();
    } else {
      await this.withdraw();
    }
    this.#worker.kick(true);
    await this.#forAMoment(signal);
  }

  /** Hands out nothing more; what this host has in the store is given up next. */
  async withdraw(): Promise<void> {
    const { local } = this;
    if (!local.isMember) return;
    local.host = { ...local.host, grants: {} };
    local.forgetAddresses();
    this.share.unsettled.clear();
    this.#line.fail(unknownPool(local.id));
    await local.save();
    this.#worker.kick();
  }

  /** What this host had was given back by others: only what is attached here is still ours, if the store agrees. */
  async startOver(): Promise<void> {
    if (!this.local.isMember) return;
    await this.exclusively(async () => {
      this.local.held.clear();
      this.local.freed.clear();
      this.share.uncertain.clear();
      this.share.mine.clear();
      await this.#restore();
    });
    this.#worker.kick(true);
  }

  /** The store has lost this host's mark, or never had it. */
  publishAgain(): void {
    this.#publishing = true;
    this.#worker.kick();
  }

  /** Blocks in which this host has addresses, as the store has said: they have to be there. None while all of it is being written. */
  blocksInStore(): Address[] {
    if (!this.local.isMember || this.#publishing) return [];
    return this.share.bases();
  }

  /** The store has lost a block: it gets back what this host has in it. */
  async blockLost(base: Address): Promise<void> {
    await this.exclusively(async () => this.share.lost([base]));
    this.#worker.kick(true);
  }

  /** Gives an address of our reserve to the host that asks for it by name. */
  async handOver(address: Address, to: string): Promise<void> {
    await this.exclusively(async () => giveFromReserve(this.share, address, to));
  }

  /** Makes an address every host's: the gateway (any when absent), or an aux address. It stays until the pool goes. */
  async setAside(
    kind: 'gateway' | 'aux',
    address: Address | undefined,
    signal: AbortSignal,
  ): Promise<Address> {
    this.#assertMember();
    if (address !== undefined) assertUsable(this.share, address);
    const known = alreadyAside(this.local.pool, kind, address);
    if (known !== undefined) return known;
    const what = { what: `set the ${kind} address aside`, key: keys.pool(this.local.id), signal };
    return attempt(this.#context, what, async (bounded) =>
      this.exclusively(async () => setAside(this.share, kind, address, bounded)),
    );
  }

  /** Nothing else writes this pool's documents meanwhile. */
  async exclusively<T>(fn: () => Promise<T>): Promise<T> {
    return this.#mutex.run('', fn);
  }

  /** Resolves when everything is written. For tests, and for a store that is there. */
  async idle(): Promise<void> {
    await this.#worker.idle();
  }

  /** Stops at once; nothing is kept. */
  abandon(): void {
    this.local.abandon();
    void this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    this.share.unsettled.clear();
    await this.#worker[Symbol.asyncDispose]();
    this.#line.fail(unavailable(`get an address of pool ${this.local.id}`, new Error('stopping')));
  }

  /** One write to the store; true when there is more to do. */
  async #step(): Promise<boolean> {
    const { signal } = this.#aborter;
    if (!this.local.isMember) {
      await this.#deps.leave(this, signal);
      return false;
    }
    const publishing = this.#publishing;
    try {
      if (publishing) {
        await this.#deps.publish(this.local, signal);
        await this.share.refreshAfterLoss(signal);
        this.#publishing = false;
      }
      await this.#work();
    } catch (error) {
      if (!hasCode(error, 'UNKNOWN_POOL') || publishing) throw error;
      await this.#restore();
    }
    return (
      this.#publishing ||
      this.#line.length > 0 ||
      this.share.pendingBase() !== undefined ||
      this.#allocator.needsReserve
    );
  }

  async #work(): Promise<void> {
    const pending = this.share.pendingBase();
    if (this.#line.length > 0) await this.#allocator.allocate();
    else if (pending !== undefined) await this.#allocator.serve(pending, 'own');
    else if (this.#allocator.needsReserve) await this.#allocator.fillReserve();
  }

  /** The store has lost the pool: it gets it back, with what is in use here; nothing is reserved there any more. */
  async #restore(): Promise<void> {
    const { local, share } = this;
    this.#publishing = true;
    await share.lost(share.bases());
    share.table.forgetAll();
    local.reserve.clear();
    for (const address of share.attached.keys()) local.held.set(address, this.#context.now());
    await local.save();
  }

  #onError(error: unknown): void {
    this.#trouble = error;
    if (isAway(error)) return;
    this.#line.fail(error);
    // Again and again until somebody mends it, but said once.
    if (!(error instanceof IpamError) || error.message === this.#reported) return;
    this.#reported = error.message;
    this.#context.report(error);
  }

  #reservedAddress(): Address | undefined {
    for (const address of this.local.reserve) if (this.share.allowed(address)) return address;
    return undefined;
  }

  /** While the store is away, better one that was released a moment ago than none. */
  #reusableAddress(): Address | undefined {
    if (!this.#worker.failing) return undefined;
    return [...this.local.freed.keys()].find((address) => this.share.isReusable(address));
  }

  /** The address is ours for certain: this host's disk hears of it first, the store afterwards. */
  async #giveAtOnce(address: Address): Promise<Address> {
    this.local.reserve.delete(address);
    this.local.freed.delete(address);
    this.local.held.set(address, this.#context.now());
    this.share.unsettled.add(address);
    await this.local.save();
    this.#worker.kick();
    return address;
  }

  async #ask(address: Address, owner: string, signal: AbortSignal): Promise<void> {
    const base = this.share.layout.baseOf(address);
    await askFor(this.#context, { pool: this.local.id, address, owner }, signal);
    this.share.table.forget(base);
  }

  /** One request after another: two that ask for the same address would both get it. */
  async #fromOthersReserve(silent: Set<string>, signal: AbortSignal): Promise<Address | undefined> {
    const request = async (each: Address): Promise<Address> => this.requestNamed(each, signal);
    return this.#asking.run('', async () =>
      signal.aborted ? undefined : fromOthersReserve(this.share, request, silent),
    );
  }

  #assertMember(): void {
    if (!this.local.isMember) throw unknownPool(this.local.id);
  }

  /** Only endpoints ask like this: the network exists, whoever made it. */
  #noteCreated(): void {
    if (!this.local.host.created) this.local.host = { ...this.local.host, created: true };
  }

  #freed(address: Address): void {
    for (const resolve of this.#releasing.get(address) ?? []) resolve();
    this.#releasing.delete(address);
  }

  /** Waits until the worker has done it all, or this part of it; not when it can't, and not for long. */
  async #forAMoment(signal: AbortSignal, part?: Promise<void>): Promise<void> {
    if (this.#worker.failing || signal.aborted) return;
    using bound = new Bound(signal, RELEASE_WAIT_MS);
    const waits = [this.#worker.tried(), once(bound.signal, 'abort')];
    await Promise.race(part ? [part, ...waits] : waits);
  }
}
