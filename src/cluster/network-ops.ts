import type { Entry, Op } from '../store/index.js';
import { type NetworkDocument, format, isNetworkName, keys } from './documents.js';
import { invalidName } from './errors.js';

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

export function claimOp(key: string, owner: string): Op {
  return { op: 'set', key, value: format({ owner }), ifVersion: 0 };
}

export function unclaim({ vni, name }: NetworkDocument): Op[] {
  const claimed = [keys.vni(vni), ...(name === undefined ? [] : [keys.name(name)])];
  return claimed.map((key) => ({ op: 'delete', key }));
}

export function replace({ entry }: Found, document: NetworkDocument): Op {
  return { op: 'set', key: entry.key, value: format(document), ifVersion: entry.version };
}

export function assertName(name: string): void {
  if (!isNetworkName(name)) throw invalidName(name);
}
