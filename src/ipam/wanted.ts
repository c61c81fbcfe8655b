import type { Address } from '../net/index.js';
import { Backoff } from '../util/index.js';
import type { Context } from './attempts.js';
import { Bound } from './bound.js';
import { type Pool, addressOfKey, formatWanted, keys, parseWanted } from './documents.js';
import { IpamError } from './errors.js';

/** A host that is there hands an address over in some milliseconds. */
const ANSWER_MS = 1500;
const DELETE_MS = 500;

export interface Wanted {
  readonly pool: Pool['id'];
  readonly address: Address;
  readonly owner: string;
}

/**
 * Asks the owner of a reserve for one address of it, and waits until it has decided or does not answer. Only the owner can
 * give it: it may have handed the address out without telling the store yet.
 */
export async function askFor(
  { store, host }: Context,
  { pool, address, owner }: Wanted,
  signal: AbortSignal,
): Promise<void> {
  const key = keys.wanted(owner, pool, address);
  await store.transact([{ op: 'set', key, value: formatWanted({ host }) }], { signal });
  using moment = new Bound(signal, ANSWER_MS);
  for await (const { entries } of store.watch(key, { signal: moment.signal })) {
    if (!entries.has(key)) return;
  }
  // Also when the caller's time is up; what stays is handed over late, and found by comparison with Docker.
  using short = new Bound(new AbortController().signal, DELETE_MS);
  await store.transact([{ op: 'delete', key }], { signal: short.signal }).catch(() => undefined);
}

/**
 * Hands over what other hosts ask of this host's reserve, until `signal` aborts.
 *
 * In Consul it keeps a key of its own under the watched prefix: the watch of one that holds nothing is woken by each write to any key.
 */
export async function answerWanted(
  context: Context,
  handOver: (pool: string, address: Address, to: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { store, host, report } = context;
  const prefix = keys.wantedOf(host);
  let marking: Promise<void> | undefined;
  for await (const { entries, changed } of store.watch(prefix, { signal })) {
    if (store.kind === 'consul' && !entries.has(keys.listens(host))) {
      marking ??= mark(context, signal).finally(() => (marking = undefined));
    }
    for (const key of changed) {
      const entry = entries.get(key);
      const [pool] = key.slice(prefix.length).split('/');
      const address = addressOfKey(key);
      if (!entry || pool === undefined || address === undefined) continue;
      try {
        await handOver(pool, address, parseWanted(key, entry.value));
        await store.transact([{ op: 'delete', key, ifVersion: entry.version }], { signal });
      } catch (error) {
        // The one who asked waits no longer than a moment; an outage needs no word here.
        if (error instanceof IpamError) report(error);
      }
    }
  }
  await marking;
}

/** Without it all works, at the cost of others' writes: so it is tried until it succeeds, and nobody hears of it. */
async function mark({ store, host, random }: Context, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff({ minMs: 1000, maxMs: 60_000, random });
  while (!signal.aborted) {
    try {
      await store.transact([{ op: 'set', key: keys.listens(host), value: '{"v":1}' }], { signal });
      return;
    } catch {
      await backoff.wait(signal).catch(() => undefined);
    }
  }
}
