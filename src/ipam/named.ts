import type { Address } from '../net/index.js';
import type { Context } from './attempts.js';
import { type Block, type Taken, take } from './blocks.js';
import type { Pool } from './documents.js';
import { IpamError } from './errors.js';
import { hasCode } from '../util/index.js';
import type { Share } from './share.js';

/** Throws ADDRESS_OUT_OF_POOL unless an endpoint can have the address. */
export function assertUsable({ layout, local }: Share, address: Address): void {
  if (layout.isUsable(address)) return;
  throw new IpamError(
    { code: 'ADDRESS_OUT_OF_POOL', address, pool: local.id },
    `${address} can't be a container's in ${layout.prefix}: it is outside of it, or its network or broadcast address`,
  );
}

/** Throws ADDRESS_TAKEN when the network itself or an endpoint on this host has the address. */
export function assertNotInUse(
  { attached, context }: Share,
  { gateway, aux }: Pool,
  address: Address,
): void {
  const endpoint = attached.get(address);
  if (address === gateway) throw taken(address, 'gateway', "it is the network's gateway");
  if (aux.includes(address)) throw taken(address, 'aux', 'it is an aux address of the network');
  if (endpoint === undefined) return;
  const container = context.containerOf(endpoint);
  const who =
    container === undefined ? `endpoint ${endpoint.slice(0, 12)}` : `container "${container}"`;
  throw taken(address, endpoint, `${who} on this host (${context.nameOf(context.host)}) has it`);
}

/** Takes this very address for this host, resting or not; or returns the host in whose reserve it is. Throws ADDRESS_TAKEN. */
export async function takeNamed(
  share: Share,
  address: Address,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { context, layout } = share;
  const body = (draft: Block, pool: Pool) => {
    assertNotInUse(share, pool, address);
    const holder = draft.taken.get(address);
    if (holder && holder.host !== context.host) throw takenByHost(address, holder, context);
    if (draft.reserve.has(address) && draft.owner !== context.host) {
      return { result: draft.owner, given: [] };
    }
    // Ours already, and no endpoint has it: Docker lost track of it, and asks again.
    take(draft, address, context.host, context.now());
    return { result: undefined, given: [address] };
  };
  return share.change(layout.baseOf(address), body, signal);
}

/** What other hosts have in reserve, but for `silent` ones. */
export function othersReserves(
  { table, context }: Share,
  silent: ReadonlySet<string>,
): { readonly owner: string; readonly address: Address }[] {
  const offers = [];
  for (const [, { owner, reserve }] of table.known()) {
    if (owner === undefined || owner === context.host || silent.has(owner)) continue;
    for (const address of reserve) offers.push({ owner, address });
  }
  return offers;
}

/**
 * When a pool is full but for what others have in reserve: gets one of those addresses by `request`, which asks for it by name.
 * `silent`: hosts that did not answer; one that does not answer now comes to them.
 */
export async function fromOthersReserve(
  share: Share,
  request: (address: Address) => Promise<Address>,
  silent: Set<string>,
): Promise<Address | undefined> {
  const { context, table, layout } = share;
  const offers = othersReserves(share, silent);
  const offer = offers[Math.floor(context.random() * offers.length)];
  if (!offer) return undefined;
  try {
    return await request(offer.address);
  } catch (error) {
    if (!hasCode(error, 'ADDRESS_TAKEN')) throw error;
    const block = table.get(layout.baseOf(offer.address));
    if (block?.reserve.has(offer.address)) silent.add(offer.owner);
    return undefined;
  }
}

/** Another host's from now on, unless it was handed out here meanwhile. */
export async function giveFromReserve(share: Share, address: Address, to: string): Promise<void> {
  const { context, layout, local } = share;
  if (!local.reserve.delete(address)) return;
  await local.save();
  await share.change(layout.baseOf(address), (draft) => {
    const ours = draft.owner === context.host && draft.reserve.has(address);
    if (ours && !local.held.has(address)) take(draft, address, to, context.now());
    return { result: undefined, given: [] };
  });
}

export function inReserve(address: Address, owner: string): IpamError {
  return new IpamError(
    { code: 'ADDRESS_TAKEN', address, by: owner },
    `${address} is in the reserve of ${owner}, which does not answer; choose another address, or keep those that you choose yourself out of --ip-range`,
  );
}

function takenByHost(
  address: Address,
  { host, since }: Taken,
  { nameOf, now }: Context,
): IpamError {
  const seconds = Math.max(0, Math.round((now() - since) / 1000));
  return taken(address, host, `a container on ${nameOf(host)} has it for ${seconds} seconds`);
}

function taken(address: Address, by: string, why: string): IpamError {
  return new IpamError({ code: 'ADDRESS_TAKEN', address, by }, `${address} is taken: ${why}`);
}
