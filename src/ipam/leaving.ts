import { type Entry, MAX_STEPS, type Op } from '../store/index.js';
import type { Context } from './attempts.js';
import { BlockTable } from './block-table.js';
import { expel } from './blocks.js';
import { type Pool, formatPool, keys, parsePool } from './documents.js';

/**
 * One try to take a pool from `host`; false: something changed meanwhile, or the next part comes now.
 *
 * With others there, the host's mark goes only together with a look at another's, so that of two who leave at once one stays
 * to be the last. The last one marks the pool as closing, after which nobody can join, looks again, and deletes it.
 */
export async function leaveOnce(
  context: Context,
  id: string,
  host: string,
  signal: AbortSignal,
): Promise<boolean> {
  const { store, host: self } = context;
  const entry = await store.get(keys.pool(id), { signal });
  const marks = await store.list(keys.poolHosts(id), { signal });
  const own = marks.find(({ key }) => key === keys.poolHost(id, host));
  const dropOwn: Op[] = own ? [{ op: 'delete', key: own.key, ifVersion: own.version }] : [];
  if (!entry) return dropOwn.length === 0 || (await store.transact(dropOwn, { signal })).ok;
  const pool = parsePool(entry.key, entry.value);
  const other = marks.find(({ key }) => key !== own?.key && key !== leavingKey(pool));
  if (other) {
    await expelFrom(context, pool, host, signal);
    const check: Op = { op: 'check', key: other.key, ifVersion: other.version };
    return (await store.transact([...dropOwn, check, ...reopen(entry, pool)], { signal })).ok;
  }
  if (pool.closing?.by === self && pool.closing.leaving === host) {
    return deletePool(context, entry, dropOwn, signal);
  }
  const value = formatPool({ ...pool, closing: { by: self, leaving: host } });
  await store.transact([{ op: 'set', key: entry.key, value, ifVersion: entry.version }], {
    signal,
  });
  return false; // look again: somebody may have joined until the mark was there
}

/** Beside the check of the pool, and those that a fenced store adds for this host and one that was removed. */
const MOST_DELETES = MAX_STEPS - 3;

/** Deletes a pool that is closing by us and that nobody has: its blocks first, so that none outlives it. */
async function deletePool(
  { store }: Context,
  entry: Entry,
  marks: readonly Op[],
  signal: AbortSignal,
): Promise<boolean> {
  const id = entry.key.slice(keys.pools.length);
  const blocks = await store.list(keys.blocks(id), { signal });
  const check: Op = { op: 'check', key: entry.key, ifVersion: entry.version };
  for (let i = 0; i < blocks.length; i += MOST_DELETES) {
    const some = blocks.slice(i, i + MOST_DELETES).map(({ key }): Op => ({ op: 'delete', key }));
    if (!(await store.transact([check, ...some], { signal })).ok) return false;
  }
  const last: Op = { op: 'delete', key: entry.key, ifVersion: entry.version };
  return (await store.transact([last, ...marks], { signal })).ok;
}

/** Takes every address and block of the pool from `host`. */
async function expelFrom(
  context: Context,
  pool: Pool,
  host: string,
  signal: AbortSignal,
): Promise<void> {
  const table = new BlockTable(context, pool);
  await table.list(signal);
  const until = context.now() + context.restMs;
  for (const [base, block] of table.known()) {
    const has = block.owner === host || [...block.taken.values()].some((t) => t.host === host);
    if (has) await table.update(base, (draft) => expel(draft, host, until), signal);
  }
}

/** The mark of a host that is leaving counts no more. */
function leavingKey({ id, closing }: Pool): string | undefined {
  return closing && keys.poolHost(id, closing.leaving);
}

/** Others still have the pool: it stays after all. */
function reopen(entry: Entry, pool: Pool): Op[] {
  const { closing, ...open } = pool;
  if (!closing) return [];
  return [{ op: 'set', key: entry.key, value: formatPool(open), ifVersion: entry.version }];
}
