import type { Store } from '../store/index.js';
import { keys, parseEndpoints } from './documents.js';

/** A host with endpoints on a network. */
export interface NetworkUser {
  readonly hostId: string;
  /** Names of the containers where they are known, else the endpoints' short ids. */
  readonly containers: readonly string[];
}

/** What became of a removal. */
export type NetworkRemoval =
  | { readonly kind: 'removed' }
  /** Somebody else had removed it. */
  | { readonly kind: 'gone' }
  /** It was not announced: only this host has it no more. */
  | { readonly kind: 'left' }
  | { readonly kind: 'in-use'; readonly by: readonly NetworkUser[] };

/** The hosts that have endpoints on the network. */
export async function networkUsers(store: Store, id: string): Promise<NetworkUser[]> {
  const prefix = keys.endpointsOf(id);
  return (await store.list(prefix)).flatMap(({ key, value }): NetworkUser[] => {
    // What can't be read may be anything: better in use than gone.
    const endpoints = parseEndpoints(value)?.endpoints ?? [{ id: 'unreadable', name: undefined }];
    const containers = endpoints.map((each) => each.name ?? each.id.slice(0, 12));
    if (containers.length === 0) return [];
    return [{ hostId: key.slice(prefix.length), containers: containers.toSorted() }];
  });
}

/** Ids of the networks that a host has. */
export async function networksOf(store: Store, host: string): Promise<string[]> {
  const ids: string[] = [];
  for (const { key } of await store.list(keys.networks)) {
    const id = key.slice(keys.networks.length);
    if (await store.get(keys.endpoints(id, host))) ids.push(id);
  }
  return ids;
}
