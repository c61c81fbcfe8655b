import type { Address } from '../net/index.js';
import { freeIn } from './blocks.js';
import type { Pool } from './documents.js';
import { IpamError } from './errors.js';
import type { Share } from './share.js';

export type Aside = 'gateway' | 'aux';

/** The answer when the pool's document has it already. Throws ADDRESS_TAKEN when another address is the gateway. */
export function alreadyAside(
  { gateway, aux, prefix }: Pool,
  kind: Aside,
  address: Address | undefined,
): Address | undefined {
  if (kind === 'aux') return address !== undefined && aux.includes(address) ? address : undefined;
  if (gateway === undefined || address === undefined || address === gateway) return gateway;
  throw new IpamError(
    { code: 'ADDRESS_TAKEN', address, by: 'gateway' },
    `the gateway of ${prefix} is ${gateway} on every host, not ${address}; leave --gateway out, or say --gateway ${gateway}`,
  );
}

/**
 * Writes the address into the pool's document, in one step with its block: from then on no host chooses it, since every
 * change of a block rests on the pool's document. Throws ADDRESS_TAKEN.
 */
export async function setAside(
  share: Share,
  kind: Aside,
  address: Address | undefined,
  signal: AbortSignal,
): Promise<Address> {
  const { layout, local, table, context } = share;
  if (address !== undefined && local.reserve.delete(address)) await local.save();
  const place = address ?? layout.firstUsable;
  const result = await table.updatePool(
    place,
    (draft, pool) => {
      const known = alreadyAside(pool, kind, address);
      if (known !== undefined) return { pool, result: known };
      const free = freeIn(draft, layout.members(layout.baseOf(place)), Infinity);
      const chosen = address ?? free.find((one) => !pool.aux.includes(one));
      if (chosen === undefined)
        throw taken(place, 'containers', 'containers have it and every one next to it');
      if (chosen === pool.gateway) throw taken(chosen, 'gateway', "it is the network's gateway");
      const holder = draft.taken.get(chosen)?.host;
      const leftOver =
        holder === context.host && !share.attached.has(chosen) && !local.held.has(chosen);
      if (holder !== undefined && !leftOver) {
        throw taken(chosen, holder, `a container on ${context.nameOf(holder)} has it`);
      }
      if (draft.reserve.has(chosen) && draft.owner !== context.host) {
        throw taken(
          chosen,
          draft.owner ?? '',
          `it is in the reserve of ${context.nameOf(draft.owner ?? '')}`,
        );
      }
      draft.taken.delete(chosen);
      draft.reserve.delete(chosen);
      draft.resting.delete(chosen);
      const next =
        kind === 'gateway' ? { ...pool, gateway: chosen } : { ...pool, aux: [...pool.aux, chosen] };
      return { pool: next, result: chosen };
    },
    signal,
  );
  local.pool = await table.pool(signal);
  await local.save();
  return result;
}

function taken(address: Address, by: string, why: string): IpamError {
  return new IpamError(
    { code: 'ADDRESS_TAKEN', address, by },
    `${address} can't be set aside as a gateway or aux address: ${why}; choose another`,
  );
}
