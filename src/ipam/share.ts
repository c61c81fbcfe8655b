import type { Address } from '../net/index.js';
import type { Context } from './attempts.js';
import { BlockTable } from './block-table.js';
import { type Block, emptyBlock, free, freeIn, prune, reserveMore, take } from './blocks.js';
import type { Pool } from './documents.js';
import { IpamError } from './errors.js';
import { Layout } from './layout.js';
import type { LocalPool } from './local-pool.js';
import { Unsettled } from './unsettled.js';

/** Within this all hosts of all but very large clusters find what the store has lost of theirs, and put it back. */
const OTHERS_MS = 3000;

/** What a change hands out: ours once the store has it. */
export interface Given<T> {
  readonly result: T;
  readonly given: readonly Address[];
}

/**
 * This host's share of a pool, and the one way to change it.
 *
 * Whatever a change is for, it also writes what was handed out of the reserve or released since, and fills the reserve up.
 */
export class Share {
  readonly context: Context;
  readonly local: LocalPool;
  readonly layout: Layout;
  readonly table: BlockTable;
  /** Which endpoint on this host uses which address, as the driver says. */
  readonly attached: ReadonlyMap<Address, string>;
  /** An outage hid whether the store gave us these; nobody got them. */
  readonly uncertain = new Set<Address>();
  /** Ours and since when, as far as the store has told; nobody else can take these from us. */
  readonly mine = new Map<Address, number>();
  /** Handed out a moment ago, and no endpoint's yet. */
  readonly unsettled: Unsettled;
  /** Blocks of ours that the store has lost: they are ours again unless somebody else was quicker. */
  readonly #ownedBefore = new Set<Address>();
  #lostAt = -Infinity;
  /** Released, and on their way to the store; the store may have freed them already. */
  readonly #leaving = new Set<Address>();
  readonly #onFreed: (address: Address) => void;

  constructor(
    context: Context,
    local: LocalPool,
    attached: ReadonlyMap<Address, string>,
    onFreed: (address: Address) => void,
  ) {
    this.context = context;
    this.local = local;
    this.attached = attached;
    this.layout = new Layout(local.pool);
    this.table = new BlockTable(context, local.pool);
    this.unsettled = new Unsettled(context.now, context.settleMs);
    this.#onFreed = onFreed;
  }

  /** False for what must not be chosen, whatever its block says. */
  readonly allowed = (address: Address): boolean => {
    const { pool, freed } = this.local;
    return (
      address !== pool.gateway &&
      !pool.aux.includes(address) &&
      !this.attached.has(address) &&
      !freed.has(address)
    );
  };

  /** Released here, and still ours in the store for certain: it can be handed out again without asking. */
  isReusable(address: Address): boolean {
    return (
      this.local.freed.has(address) &&
      this.mine.has(address) &&
      !this.#leaving.has(address) &&
      !this.attached.has(address)
    );
  }

  /** A block in which something is to be written that nobody waits for. */
  pendingBase(): Address | undefined {
    const { held, freed } = this.local;
    for (const addresses of [held.keys(), freed.keys(), this.uncertain.keys()]) {
      for (const address of addresses) {
        const base = this.layout.baseOf(address);
        if (!this.table.isBad(base)) return base;
      }
    }
    return undefined;
  }

  /** The blocks in which the store knows something of this host. */
  bases(): Address[] {
    const addresses = [...this.mine.keys(), ...this.local.reserve];
    return [...new Set(addresses.map((address) => this.layout.baseOf(address)))];
  }

  /**
   * The store has lost these blocks: what is ours in them is to be written again, and nothing of them is reserved for us until
   * the store says so once more.
   */
  async lost(bases: readonly Address[]): Promise<void> {
    const { held, freed, reserve } = this.local;
    const isLost = (address: Address): boolean => bases.includes(this.layout.baseOf(address));
    for (const [address, since] of this.mine) {
      if (!isLost(address)) continue;
      this.mine.delete(address);
      if (!freed.has(address)) held.set(address, since);
    }
    for (const address of reserve) if (isLost(address)) reserve.delete(address);
    for (const base of bases) {
      if (this.table.get(base)?.owner === this.context.host) this.#ownedBefore.add(base);
      this.table.forget(base);
    }
    this.#lostAt = performance.now();
    await this.local.save();
  }

  /** For how long others may still have to say what they have, since the store has lost some of it; ms. */
  get unsureMs(): number {
    return Math.max(0, this.#lostAt + OTHERS_MS - performance.now());
  }

  /** Changes one block; `body` edits the draft and may run several times. */
  async change<T>(
    base: Address,
    body: (draft: Block, pool: Pool) => Given<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const held = this.#inBlock(this.local.held, base);
    const freed = this.#inBlock(this.local.freed, base);
    let lost: Address[] = [];
    let given: readonly Address[] = [];
    let after = emptyBlock();
    try {
      const result = await this.table.update(
        base,
        (draft, pool) => {
          given = [];
          this.local.pool = pool;
          if (this.#ownedBefore.has(base)) draft.owner ??= this.context.host;
          lost = this.#settle(draft, base, held, freed);
          const done = body(draft, pool);
          given = done.given;
          this.#fillReserve(draft, base);
          if (given.length + held.length + freed.length > 0) prune(draft, this.context.now());
          after = draft;
          return done.result;
        },
        signal,
      );
      this.#ownedBefore.delete(base);
      await this.#settled(base, { held, freed, given, after });
      for (const address of lost) this.context.report(givenTwice(address));
      return result;
    } catch (error) {
      for (const address of given) this.uncertain.add(address);
      throw error;
    }
  }

  /** As {@link refresh}; what the store knew as ours, an endpoint here uses, and the store does not know any more is to be written again. */
  async refreshAfterLoss(signal: AbortSignal): Promise<void> {
    const before = new Map(this.mine);
    await this.refresh(signal);
    for (const [address, since] of before) {
      const isLost = this.attached.has(address) && !this.mine.has(address);
      if (isLost && !this.local.freed.has(address)) this.local.held.set(address, since);
    }
    await this.local.save();
  }

  /** Reads every block, and takes over what the store says is our reserve. */
  async refresh(signal?: AbortSignal): Promise<void> {
    await this.table.list(signal);
    this.local.pool = await this.table.pool(signal);
    const bases = new Set([...this.local.reserve].map((address) => this.layout.baseOf(address)));
    for (const [base, { owner }] of this.table.known()) {
      if (owner === this.context.host) bases.add(base);
    }
    let changed = false;
    this.mine.clear();
    for (const [base, block] of this.table.known()) this.#noteMine(base, block);
    for (const base of bases) {
      const block = this.table.get(base);
      const ours = block?.owner === this.context.host ? block.reserve : [];
      changed = this.local.replaceReserve(this.layout, base, ours) || changed;
    }
    if (changed) await this.local.save();
  }

  /** Writes down what happened here since. Returns addresses that somebody else has by now. */
  #settle(
    draft: Block,
    base: Address,
    held: readonly (readonly [Address, number])[],
    freed: readonly (readonly [Address, number])[],
  ): Address[] {
    const { host, now, restMs } = this.context;
    const lost: Address[] = [];
    for (const [address, since] of held) {
      const holder = draft.taken.get(address)?.host;
      if (holder === host) continue;
      const foreign = draft.owner !== host && draft.reserve.has(address);
      if (holder !== undefined || foreign) lost.push(address);
      else take(draft, address, host, since);
    }
    for (const [address] of freed) {
      this.#leaving.add(address);
      free(draft, address, host, now() + restMs);
    }
    for (const address of this.uncertain) {
      if (this.layout.baseOf(address) !== base) continue;
      const ours = draft.taken.get(address)?.host === host;
      if (ours && !this.local.held.has(address) && !this.attached.has(address)) {
        draft.taken.delete(address);
      }
    }
    return lost;
  }

  #fillReserve(draft: Block, base: Address): void {
    const { host, now } = this.context;
    if (draft.owner !== host || !this.local.isMember) return;
    const elsewhere = [...this.local.reserve].filter((a) => this.layout.baseOf(a) !== base);
    const missing = this.layout.reserveSize - elsewhere.length - draft.reserve.size;
    const members = this.layout.chosenFrom(base);
    reserveMore(draft, freeIn(draft, members, now()).filter(this.allowed), missing, now());
  }

  async #settled(
    base: Address,
    {
      held,
      freed,
      given,
      after,
    }: {
      readonly held: readonly (readonly [Address, number])[];
      readonly freed: readonly (readonly [Address, number])[];
      readonly given: readonly Address[];
      readonly after: Block;
    },
  ): Promise<void> {
    const { local, layout, context } = this;
    for (const [address, since] of held) {
      if (local.held.get(address) === since) local.held.delete(address);
    }
    for (const [address, since] of freed) {
      this.#leaving.delete(address);
      if (local.freed.get(address) === since) local.freed.delete(address);
    }
    // Nobody has heard of these yet: a release that came meanwhile was for the container before.
    for (const address of given) this.unsettled.add(address);
    const late = given.filter((address) => local.freed.delete(address));
    for (const address of this.uncertain) {
      if (layout.baseOf(address) === base) this.uncertain.delete(address);
    }
    this.#noteMine(base, after);
    const reserve = after.owner === context.host ? after.reserve : [];
    const changed = local.replaceReserve(layout, base, reserve);
    // On disk before anyone can get one of these addresses again: a crash must not repeat a release.
    if (changed || held.length + freed.length + late.length > 0) await local.save();
    for (const [address] of freed) if (!local.freed.has(address)) this.#onFreed(address);
    for (const address of late) this.#onFreed(address);
  }

  #noteMine(base: Address, { taken }: Block): void {
    for (const address of this.layout.members(base)) {
      const holder = taken.get(address);
      if (holder?.host === this.context.host) this.mine.set(address, holder.since);
      else this.mine.delete(address);
    }
  }

  #inBlock(addresses: ReadonlyMap<Address, number>, base: Address): [Address, number][] {
    return [...addresses].filter(([address]) => this.layout.baseOf(address) === base);
  }
}

function givenTwice(address: Address): IpamError {
  return new IpamError(
    { code: 'ADDRESS_TAKEN', address, by: 'another host' },
    `${address} is in use on this host, but the store gave it to another while this host was away; restart its container here`,
  );
}
