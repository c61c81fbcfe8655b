import test from 'ava';
import { EmbeddedStore } from '../../../src/store/index.js';
import { type StorePair, storeContract } from '../../helpers/store-contract.js';
import { tempDir } from '../../helpers/temp-dir.js';

storeContract(test, 'embedded store on disk', async (): Promise<StorePair> => {
  const dir = await tempDir();
  const store = await EmbeddedStore.open({ dir: dir.path });
  return {
    store,
    other: store,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await dir[Symbol.asyncDispose]();
    },
  };
});

storeContract(test, 'embedded store in memory', async (): Promise<StorePair> => {
  const store = EmbeddedStore.memory();
  return { store, other: store, [Symbol.asyncDispose]: async () => store[Symbol.asyncDispose]() };
});
