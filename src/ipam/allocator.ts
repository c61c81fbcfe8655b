import { setTimeout as delay } from 'node:timers/promises';
import type { Address } from '../net/index.js';
import { type Block, take } from './blocks.js';
import { type PickOptions, type Source, candidates, ownBlock, pickBlock } from './pick.js';
import type { Share } from './share.js';
import { poolFull } from './usage.js';
import type { WaitingLine } from './waiting-line.js';

/** How often a host without enough reserve looks for a block that it could have. */
const RESERVE_RETRY_MS = 10_000;

/** Finds addresses for those who wait in line, and blocks for the reserve. Runs one call at a time. */
export class Allocator {
  readonly #share: Share;
  readonly #line: WaitingLine;
  readonly #signal: AbortSignal;
  #noReserveUntil = 0;

  /** `signal` ends all work. */
  constructor(share: Share, line: WaitingLine, signal: AbortSignal) {
    this.#share = share;
    this.#line = line;
    this.#signal = signal;
  }

  /** Serves those who wait from the best block, until nobody waits or nothing is left. */
  async allocate(): Promise<void> {
    const { table, context, local, layout } = this.#share;
    let fresh = !table.listed;
    if (fresh) await this.#share.refresh(this.#signal);
    let crowded = false;
    while (this.#line.length > 0) {
      const pick = pickBlock({ ...this.#options(), crowded });
      const before = table.conflicts;
      const pending = this.#share.pendingBase();
      const isUnsure = pick?.source !== 'own' && this.#share.unsureMs > 0;
      if (isUnsure && pending !== undefined) {
        await this.serve(pending, 'own'); // what the store has lost of ours
      } else if (isUnsure) {
        await delay(this.#share.unsureMs, undefined, { signal: this.#signal });
        await this.#share.refresh(this.#signal);
      } else if (pick) {
        await this.serve(pick.base, pick.source);
        crowded = table.conflicts > before;
      } else if (pending !== undefined) {
        await this.serve(pending, 'own'); // what was released here lately is not in the store yet
      } else if (fresh) {
        this.#line.fail(poolFull(context, local.pool, layout, table));
      } else {
        await this.#share.refresh(this.#signal);
        fresh = true;
      }
    }
  }

  /** One write to one block: what waits to be written there, and as many of those in line as it has room for. */
  async serve(base: Address, source: Source): Promise<void> {
    const { host, now } = this.#share.context;
    const body = (draft: Block) => {
      if (source === 'unowned') draft.owner ??= host;
      const some = candidates(this.#options(), base, draft, source).slice(0, this.#line.length);
      for (const address of some) take(draft, address, host, now());
      return { result: some, given: some };
    };
    const given = await this.#share.change(base, body, this.#signal);
    // Whoever gave up meanwhile got nothing: their address is nobody's.
    for (const address of this.#line.serve(given)) this.#share.uncertain.add(address);
  }

  /** True when less than half of the reserve is there, and it is time to do something about it. */
  get needsReserve(): boolean {
    const { layout, local, context } = this.#share;
    const short = local.reserve.size * 2 < layout.reserveSize;
    return local.host.created && short && context.now() >= this.#noReserveUntil;
  }

  /** Fills the reserve from a block of ours, or one that nobody has. Others' blocks are for those in need. */
  async fillReserve(): Promise<void> {
    const { table, context } = this.#share;
    if (!table.listed) await this.#share.refresh(this.#signal);
    if (!this.needsReserve) return;
    const options = this.#options();
    const own = ownBlock(options);
    const pick = own === undefined ? pickBlock(options) : { base: own, source: 'own' as const };
    if (own === undefined && this.#share.unsureMs > 0) {
      this.#noReserveUntil = context.now() + this.#share.unsureMs;
    } else if (pick?.source === 'own' || pick?.source === 'unowned') {
      await this.serve(pick.base, pick.source);
    } else {
      this.#noReserveUntil = context.now() + RESERVE_RETRY_MS;
    }
  }

  #options(): PickOptions {
    const { table, layout, allowed, context } = this.#share;
    const { host, now, random } = context;
    return { table, layout, host, now: now(), allowed, random, crowded: false };
  }
}
