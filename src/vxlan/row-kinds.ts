/** How rows compare with what the kernel dumps, and the messages between. Pure. */
import {
  FLOOD_MAC,
  type Message,
  type Neighbor,
  type ObservedFdbEntry,
  appendFdb,
  deleteFdb,
  deleteNeighbor,
  replaceFdb,
  replaceNeighbor,
} from '../netlink/index.js';
import type { Kind, Step } from '../reconcile/index.js';

/** A dumped entry; `isExtra` on all but the first destination of a MAC that has several. */
export type ObservedFdb = ObservedFdbEntry & { readonly isExtra?: boolean };

/** The FDB by what a row is for, see rows.ts. */
export interface SortedFdb<T> {
  readonly flood: readonly T[];
  readonly tunnels: readonly T[];
  readonly bridge: readonly T[];
}

/** Which of the tables a row is in; undefined for none: other links' own, and groups. */
export function sortOf(
  entry: ObservedFdbEntry,
  vxlan: number,
  bridge: number,
): keyof SortedFdb<unknown> | undefined {
  if (entry.owner === 'master') return entry.master === bridge ? 'bridge' : undefined;
  if (entry.ifindex !== vxlan) return undefined;
  return entry.mac === FLOOD_MAC ? 'flood' : 'tunnels';
}

/** A dump, sorted. */
export function sortFdb(
  entries: readonly ObservedFdbEntry[],
  vxlan: number,
  bridge: number,
): SortedFdb<ObservedFdb> {
  const sorted = {
    flood: [] as ObservedFdb[],
    tunnels: [] as ObservedFdb[],
    bridge: [] as ObservedFdb[],
  };
  const seen = new Set<string>();
  for (const entry of entries) {
    const sort = sortOf(entry, vxlan, bridge);
    if (sort === undefined) continue;
    const isExtra = sort === 'tunnels' && seen.has(entry.mac);
    if (sort === 'tunnels') seen.add(entry.mac);
    sorted[sort].push(isExtra ? { ...entry, isExtra } : entry);
  }
  return sorted;
}

/** Whether an entry of vxlan0's own is of the form we make. */
function isPlain(entry: ObservedFdbEntry): boolean {
  const { state, vni, port, sourceVni, via, nexthopId, isExternal, isSticky } = entry;
  return (
    state === 'permanent' &&
    vni === undefined &&
    port === undefined &&
    sourceVni === undefined &&
    via === undefined &&
    nexthopId === undefined &&
    isExternal !== true &&
    isSticky !== true
  );
}

/** A destination; our own rows are told by the VTEP alone. */
function placeOf({ dst, port, vni }: ObservedFdb): string {
  if (port === undefined && vni === undefined && dst !== undefined) return dst;
  return `${dst ?? ''} ${port ?? ''} ${vni ?? ''}`;
}

const isSameTunnel = (desired: ObservedFdb, observed: ObservedFdb): boolean =>
  desired.ifindex === observed.ifindex && desired.dst === observed.dst && isPlain(observed);

export const floodKind: Kind<ObservedFdb> = {
  name: 'flood',
  key: placeOf,
  same: isSameTunnel,
  ours: () => true,
};

export const tunnelKind: Kind<ObservedFdb> = {
  name: 'tunnel',
  key: (entry) => (entry.isExtra === true ? `${entry.mac} ${placeOf(entry)}` : entry.mac),
  same: isSameTunnel,
  ours: () => true,
};

export const bridgeKind: Kind<ObservedFdb> = {
  name: 'bridge',
  key: ({ mac }) => mac,
  same: (desired, observed) =>
    desired.ifindex === observed.ifindex && desired.state === observed.state,
  // A permanent one is a link's own MAC, kept by the kernel.
  ours: ({ state }) => state !== 'permanent',
};

export const neighborKind: Kind<Neighbor> = {
  name: 'neighbor',
  key: ({ address }) => address,
  same: (desired, observed) =>
    observed.ifindex === desired.ifindex &&
    observed.mac === desired.mac &&
    observed.state === desired.state,
  // The others the kernel made for itself.
  ours: ({ state }) => state === 'permanent',
};

export function fdbMessages(step: Step<ObservedFdb>): Message[] {
  if (step.op === 'delete') return [deleteFdb(step.observed)];
  const { desired } = step;
  const put = desired.mac === FLOOD_MAC ? appendFdb(desired) : replaceFdb(desired);
  // In vxlan0's own table replacing changes where a row points; what else is odd goes only with the row.
  const isOdd = step.op === 'change' && desired.owner === 'self' && !isPlain(step.observed);
  return isOdd ? [deleteFdb(step.observed), put] : [put];
}

export function neighborMessages(step: Step<Neighbor>): Message[] {
  return [step.op === 'delete' ? deleteNeighbor(step.observed) : replaceNeighbor(step.desired)];
}
