import type { Context } from './attempts.js';
import type { BlockTable } from './block-table.js';
import type { Pool } from './documents.js';
import { IpamError } from './errors.js';
import type { Layout } from './layout.js';

/** More hosts than this are summed up. */
const NAMED_HOSTS = 10;

/** Says who has the addresses of a pool in which none is left, as the table knows them. */
export function poolFull(
  { nameOf }: Context,
  pool: Pool,
  layout: Layout,
  table: BlockTable,
): IpamError {
  const used = new Map<string, number>();
  const reserved = new Map<string, number>();
  let resting = 0;
  for (const base of layout.bases()) {
    const block = table.get(base);
    if (!block) continue;
    for (const address of layout.chosenFrom(base)) {
      const holder = block.taken.get(address)?.host;
      if (holder !== undefined) used.set(holder, (used.get(holder) ?? 0) + 1);
      else if (block.reserve.has(address)) {
        reserved.set(block.owner ?? '', (reserved.get(block.owner ?? '') ?? 0) + 1);
      } else if (block.resting.has(address)) resting += 1;
    }
  }
  const set = [pool.gateway, ...pool.aux].filter((a) => a !== undefined).length;
  const parts = [
    `${sum(used)} of ${layout.chosenSize} addresses are used${byHost(used, nameOf)}`,
    `${set} set aside as gateway or aux address`,
    `${resting} resting`,
    `${sum(reserved)} held in reserve${byHost(reserved, nameOf)}`,
  ];
  const where = pool.range
    ? `the range ${pool.range} of pool ${pool.prefix}`
    : `pool ${pool.prefix}`;
  return new IpamError(
    { code: 'POOL_FULL', pool: pool.id },
    `${where} is full: ${parts.join(', ')}; remove containers, or create the network with a larger --subnet`,
  );
}

function byHost(counts: ReadonlyMap<string, number>, nameOf: (host: string) => string): string {
  if (counts.size === 0) return '';
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const named = sorted.slice(0, NAMED_HOSTS).map(([host, n]) => `${nameOf(host)} ${n}`);
  const rest = sorted.slice(NAMED_HOSTS);
  if (rest.length > 0) named.push(`${rest.length} other hosts ${sum(new Map(rest))}`);
  return ` (${named.join(', ')})`;
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, n) => total + n, 0);
}
