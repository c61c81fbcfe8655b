import { type NetworksOptions, Networks } from '../../src/cluster/index.js';
import { parseAddressWithLength, parseMac, parsePrefix } from '../../src/net/index.js';
import type { Store } from '../../src/store/index.js';

export const WEB = {
  name: 'web',
  internal: false,
  pools: [{ id: 'p1', prefix: parsePrefix('10.1.0.0/24') }],
};
export const ENDPOINT = {
  id: 'e1',
  mac: parseMac('02:42:0a:01:00:02'),
  addresses: [parseAddressWithLength('10.1.0.2/24')],
};

/** Signals do not end in these tests; a test that hangs runs into AVA's own bound. */
export const patient: { readonly signal: AbortSignal } = { signal: new AbortController().signal };

export async function keysOf(store: Store): Promise<string[]> {
  return (await store.list('')).map(({ key }) => key);
}

export function host(store: Store, id: string, options?: NetworksOptions): Networks {
  return new Networks(store, `host-${id}`, options);
}
