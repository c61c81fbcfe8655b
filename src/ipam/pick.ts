import type { Address } from '../net/index.js';
import type { BlockTable } from './block-table.js';
import { type Block, emptyBlock, freeIn, restingIn } from './blocks.js';
import type { Layout } from './layout.js';

/** Where an address comes from, best first. */
export type Source =
  /** A block of ours. */
  | 'own'
  /** A block that nobody has: it becomes ours. */
  | 'unowned'
  /** What is free, and not reserved, in another host's block. */
  | 'others'
  /** Freed so lately that it should rest; better than nothing. */
  | 'resting';

export interface PickOptions {
  readonly table: BlockTable;
  readonly layout: Layout;
  readonly host: string;
  readonly now: number;
  /** False for addresses that must not be chosen, whatever their block says: the gateway's, those in use. */
  readonly allowed: (address: Address) => boolean;
  readonly random: () => number;
  /** Other hosts are choosing too: choose at random among equals, so that not all want the same. */
  readonly crowded: boolean;
}

/** How many blocks that nobody has are looked at. */
const CANDIDATES = 16;

/** A block that has no document. */
const NOTHING = emptyBlock();

/** The block to take the next address from, by what the table knows; undefined when there is none. */
export function pickBlock(
  options: PickOptions,
): { readonly base: Address; readonly source: Source } | undefined {
  const own = ownBlock(options);
  if (own !== undefined) return { base: own, source: 'own' };
  const unowned: Address[] = [];
  const others: Address[] = [];
  let rested: { base: Address; until: number } | undefined;
  for (const base of options.layout.bases()) {
    if (options.table.isBad(base)) continue;
    const block = options.table.get(base) ?? NOTHING;
    if (candidates(options, base, block, 'own').length > 0) {
      (block.owner === undefined ? unowned : others).push(base);
      if (unowned.length === CANDIDATES) break;
    } else {
      const until = block.resting.get(candidates(options, base, block, 'resting')[0]!);
      if (until !== undefined && until < (rested?.until ?? Infinity)) rested = { base, until };
    }
  }
  if (unowned.length > 0) return { base: oneOf(unowned, options), source: 'unowned' };
  // Everybody who has no block of their own comes here: always at random.
  if (others.length > 0) {
    return { base: oneOf(others, { ...options, crowded: true }), source: 'others' };
  }
  return rested && { base: rested.base, source: 'resting' };
}

/** A block of this host that has a free address. */
export function ownBlock(options: PickOptions): Address | undefined {
  for (const [base, block] of options.table.known()) {
    if (block.owner !== options.host) continue;
    if (candidates(options, base, block, 'own').length > 0) return base;
  }
  return undefined;
}

/** The addresses of one block that may be chosen now, best first. */
export function candidates(
  { layout, now, allowed }: Pick<PickOptions, 'layout' | 'now' | 'allowed'>,
  base: Address,
  block: Block,
  source: Source,
): Address[] {
  const members = layout.chosenFrom(base);
  const found = source === 'resting' ? restingIn(block, members, now) : freeIn(block, members, now);
  return found.filter(allowed);
}

function oneOf(bases: readonly Address[], { random, crowded }: PickOptions): Address {
  return bases[crowded ? Math.floor(random() * bases.length) : 0]!;
}
