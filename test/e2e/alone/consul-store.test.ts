import test from 'ava';
import { ConsulStore } from '../../../src/store/index.js';
import { type ConsulServer, startConsul } from '../../helpers/consul.js';
import { type StorePair, storeContract } from '../../helpers/store-contract.js';

// The same promises as the embedded store's, on a real Consul; each test has a prefix of its own.

let consul: ConsulServer;
let prefixes = 0;

test.before(async () => {
  consul = await startConsul();
});
test.after.always(async () => consul?.[Symbol.asyncDispose]());

storeContract(test, 'consul store', async (): Promise<StorePair> => {
  prefixes += 1;
  const options = { address: consul.address, prefix: `weft/test-${prefixes}/` };
  const store = new ConsulStore(options);
  const other = new ConsulStore(options);
  return {
    store,
    other,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await other[Symbol.asyncDispose]();
    },
  };
});
