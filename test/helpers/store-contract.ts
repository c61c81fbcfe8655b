import type { TestFn } from 'ava';
import { readsAndWrites, refusals, transactions } from './store-contract-data.js';
import type { Check, StorePair } from './store-contract-tools.js';
import { leases, watches } from './store-contract-watch.js';

export type { StorePair } from './store-contract-tools.js';

/** Every promise of src/store/store.ts as a test, each on the fresh and empty store that `open` gives. */
export function storeContract(test: TestFn, name: string, open: () => Promise<StorePair>): void {
  const check: Check = (title, run) =>
    test(`${name} > ${title}`, async (t) => {
      await using pair = await open();
      await run(t, pair);
    });

  readsAndWrites(check);
  transactions(check);
  refusals(check);
  leases(check);
  watches(check);
}
