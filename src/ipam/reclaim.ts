import type { Address, Prefix } from '../net/index.js';
import { type Block, free, giveUp, take } from './blocks.js';
import type { HostPool } from './host-pool.js';

export interface ReclaimOptions {
  /** What is younger is left alone: Docker shows an endpoint only some time after it asked for the address. */
  readonly olderThanMs: number;
  readonly signal: AbortSignal;
}

export interface Reclaimed {
  /** Freed: this host had them, and no container. */
  readonly freed: readonly Address[];
  /** Written down: a container has them, and the store did not know. */
  readonly adopted: readonly Address[];
  /** In use here, and given to somebody else by the store: their containers should be restarted. */
  readonly conflicts: readonly Address[];
}

export interface ReclaimReport extends Reclaimed {
  /** Pools that this host had, and none of Docker's networks here. */
  readonly pools: readonly Prefix[];
}

const NOTHING: Reclaimed = { freed: [], adopted: [], conflicts: [] };

/**
 * Makes the store agree with what is live on this host, and gives up blocks that this host has no use for.
 *
 * Docker's events ask for this all the time: unless `thorough`, the store is asked only when what this host remembers of it
 * does not agree.
 */
export async function reclaimAddresses(
  pool: HostPool,
  live: ReadonlySet<Address>,
  { olderThanMs, signal, thorough }: ReclaimOptions & { readonly thorough: boolean },
): Promise<Reclaimed> {
  const { share, local } = pool;
  const { context, table, layout } = share;
  const cutoff = context.now() - olderThanMs;
  const stale = (address: Address, since: number): boolean =>
    since <= cutoff && !live.has(address) && !share.attached.has(address);
  const ours = [...share.mine, ...local.held];
  const agrees =
    !ours.some(([address, since]) => stale(address, since)) &&
    [...live].every((address) => share.mine.has(address) || local.held.has(address));
  if (agrees && !thorough) return NOTHING;
  for (const [address, since] of local.held) {
    if (stale(address, since)) local.freed.set(address, context.now());
  }
  await pool.exclusively(async () => share.refresh(signal));
  const freed: Address[] = [];
  for (const [base, block] of table.known()) {
    if (staleIn(block, context.host, stale).length === 0) continue;
    const now = await pool.exclusively(async () =>
      share.change(
        base,
        (draft) => {
          const some = staleIn(draft, context.host, stale).filter((a) => !local.held.has(a));
          const until = context.now() + context.restMs;
          for (const address of some) free(draft, address, context.host, until);
          return { result: some, given: [] };
        },
        signal,
      ),
    );
    freed.push(...now);
  }
  const adopted: Address[] = [];
  const conflicts: Address[] = [];
  for (const address of live) {
    if (!layout.isUsable(address) || local.held.has(address)) continue;
    const outcome = await adopt(pool, address, signal);
    if (outcome === 'adopted') adopted.push(address);
    if (outcome === 'conflict') conflicts.push(address);
  }
  await pool.exclusively(async () => giveUpSurplus(pool, signal));
  return { freed, adopted, conflicts };
}

function staleIn(
  { taken }: Block,
  host: string,
  stale: (address: Address, since: number) => boolean,
): Address[] {
  return [...taken]
    .filter(([address, t]) => t.host === host && stale(address, t.since))
    .map(([address]) => address);
}

async function adopt(
  pool: HostPool,
  address: Address,
  signal: AbortSignal,
): Promise<'known' | 'adopted' | 'conflict'> {
  const { share, local } = pool;
  const { context, table, layout } = share;
  const base = layout.baseOf(address);
  if (table.get(base)?.taken.get(address)?.host === context.host) return 'known';
  const { gateway, aux } = local.pool;
  if (address === gateway || aux.includes(address)) return 'conflict';
  return pool.exclusively(async () => {
    if (local.reserve.delete(address)) await local.save();
    return share.change(
      base,
      (draft) => {
        const holder = draft.taken.get(address)?.host;
        if (holder === context.host) return { result: 'known', given: [] };
        const foreign = draft.reserve.has(address) && draft.owner !== context.host;
        if (holder !== undefined || foreign) return { result: 'conflict', given: [] };
        take(draft, address, context.host, context.now());
        return { result: 'adopted', given: [] };
      },
      signal,
    );
  });
}

/** Space that is not used goes back to all; one block stays, so that the next container starts at once. */
async function giveUpSurplus({ share, local }: HostPool, signal: AbortSignal): Promise<void> {
  const { context, table, layout } = share;
  const idle = table
    .known()
    .filter(
      ([base, { owner, taken }]) =>
        owner === context.host &&
        ![...taken.values()].some(({ host }) => host === context.host) &&
        ![...local.held.keys()].some((address) => layout.baseOf(address) === base),
    );
  for (const [base] of idle.slice(1)) {
    for (const address of local.reserve) {
      if (layout.baseOf(address) === base) local.reserve.delete(address);
    }
    await local.save();
    await share.change(
      base,
      (draft) => {
        const ours = [...draft.taken.values()].some(({ host }) => host === context.host);
        if (draft.owner === context.host && !ours) giveUp(draft);
        return { result: undefined, given: [] };
      },
      signal,
    );
  }
}
