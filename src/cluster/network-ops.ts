import type { Entry, Op, Store } from '../store/index.js';
import {
  type EndpointsDocument,
  type NetworkDocument,
  format,
  formatEndpoints,
  formatHead,
  isNetworkName,
  keys,
  parseClaim,
  parseNetwork,
} from './documents.js';
import { invalidName, nameTaken, vniTaken } from './errors.js';
import { assertNotNewer } from './layout.js';

/** A network as the store has it. */
export interface Found {
  readonly entry: Entry;
  readonly document: NetworkDocument;
}

/** The document and the claims of a network. */
export function insert(document: NetworkDocument, ifVersion = 0): Op[] {
  const { id, vni, name } = document;
  return [
    { op: 'set', key: keys.network(id), value: format(document), ifVersion },
    claimOp(keys.vni(vni), id),
    ...(name === undefined ? [] : [claimOp(keys.name(name), id)]),
  ];
}

/** A host's document of a network, and its head. */
export function setEndpoints(document: EndpointsDocument, ifVersion?: number): Op[] {
  const { network, host } = document;
  const value = formatEndpoints(document);
  const condition = ifVersion === undefined ? {} : { ifVersion };
  return [
    { op: 'set', key: keys.endpoints(network, host), value, ...condition },
    { op: 'set', key: keys.head(network, host), value: formatHead(value) },
  ];
}

export function claimOp(key: string, owner: string): Op {
  return { op: 'set', key, value: format({ owner }), ifVersion: 0 };
}

/** Gives back the claims that are the network's: a store that lost them may have given them to another one. */
export async function unclaim(store: Store, { id, vni, name }: NetworkDocument): Promise<Op[]> {
  const claimed = [keys.vni(vni), ...(name === undefined ? [] : [keys.name(name)])];
  const claims = await Promise.all(claimed.map(async (key) => store.get(key)));
  return claims.flatMap((claim): Op[] =>
    claim && parseClaim(claim.value) === id
      ? [{ op: 'delete', key: claim.key, ifVersion: claim.version }]
      : [],
  );
}

export function replace({ entry }: Found, document: NetworkDocument): Op {
  return { op: 'set', key: entry.key, value: format(document), ifVersion: entry.version };
}

export function assertName(name: string): void {
  if (!isNetworkName(name)) throw invalidName(name);
}

/** Undefined also for what can't be read. Throws LAYOUT_NEWER: such a one is there, and not to be written over. */
export async function findNetwork(store: Store, id: string): Promise<Found | undefined> {
  const entry = await store.get(keys.network(id));
  if (entry) assertNotNewer(entry);
  const document = entry && parseNetwork(entry.value);
  return document ? { entry, document } : undefined;
}

/** Of the network that a claim is for; `unknown` when it can't be read. */
export async function ownerOf(store: Store, key: string): Promise<string | undefined> {
  const claim = await store.get(key);
  return claim && (parseClaim(claim.value) ?? 'unknown');
}

/** Puts back the claims of a network that the store has lost. Throws VNI_TAKEN, NAME_TAKEN when they are another's by now. */
export async function claimAgain(store: Store, id: string): Promise<void> {
  const found = await findNetwork(store, id);
  // Who removes or closes it takes its claims away.
  if (!found || found.document.removed || found.document.closing) return;
  const { vni, name } = found.document;
  const vniOwner = await ownerOf(store, keys.vni(vni));
  if (vniOwner !== undefined && vniOwner !== id) throw vniTaken(found.document, vniOwner);
  const nameOwner = name === undefined ? undefined : await ownerOf(store, keys.name(name));
  if (name !== undefined && nameOwner !== undefined && nameOwner !== id) {
    throw nameTaken(name, nameOwner);
  }
  // When it does not hold, somebody else writes this network, and the next look tells.
  await store.transact([
    { op: 'check', key: found.entry.key, ifVersion: found.entry.version },
    ...(vniOwner === undefined ? [claimOp(keys.vni(vni), id)] : []),
    ...(name !== undefined && nameOwner === undefined ? [claimOp(keys.name(name), id)] : []),
  ]);
}
