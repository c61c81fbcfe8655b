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

/** What of a dump has a place among our rows: all bridge rows, and vxlan0's own. */
export function relevantFdb(
  entries: Iterable<ObservedFdbEntry>,
  vxlan: number,
  bridge: number,
): ObservedFdb[] {
  const rows: ObservedFdb[] = [];
  const seen = new Set<string>();
  for (const entry of entries) {
    if (entry.owner === 'master') {
      if (entry.master === bridge) rows.push(entry);
    } else if (entry.ifindex === vxlan) {
      const isExtra = entry.mac !== FLOOD_MAC && seen.has(entry.mac);
      seen.add(entry.mac);
      rows.push(isExtra ? { ...entry, isExtra } : entry);
    }
  }
  return rows;
}

function fdbKey(entry: ObservedFdb): string {
  const { owner, mac, dst, port, vni, isExtra } = entry;
  if (owner === 'master') return `master ${mac}`;
  if (mac !== FLOOD_MAC && isExtra !== true) return `self ${mac}`;
  return `self ${mac} ${dst ?? ''} ${port ?? ''} ${vni ?? ''}`;
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

export const fdbKind: Kind<ObservedFdb> = {
  name: 'fdb',
  key: fdbKey,
  same(desired, observed) {
    if (desired.ifindex !== observed.ifindex) return false;
    if (desired.owner === 'master') return observed.state === desired.state;
    return observed.dst === desired.dst && isPlain(observed);
  },
  // A permanent bridge row is a link's own MAC, kept by the kernel.
  ours: (entry) => entry.owner === 'self' || entry.state !== 'permanent',
};

export function fdbMessages(step: Step<ObservedFdb>): Message[] {
  if (step.op === 'delete') return [deleteFdb(step.observed)];
  const { desired } = step;
  const put = desired.mac === FLOOD_MAC ? appendFdb(desired) : replaceFdb(desired);
  // In vxlan0's own table replacing changes where a row points; what else is odd goes only with the row.
  const isOdd = step.op === 'change' && desired.owner === 'self' && !isPlain(step.observed);
  return isOdd ? [deleteFdb(step.observed), put] : [put];
}

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

export function neighborMessages(step: Step<Neighbor>): Message[] {
  return [step.op === 'delete' ? deleteNeighbor(step.observed) : replaceNeighbor(step.desired)];
}
