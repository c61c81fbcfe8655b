// Runs in a mount namespace of its own, with a small file system at DIRECTORY: node disk-full.js DIRECTORY
import assert from 'node:assert/strict';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedStore } from '../../src/store/index.js';
import { hasCode } from '../../src/util/index.js';

const root = process.argv[2] ?? '';
const dir = join(root, 'store');
const filler = join(root, 'filler');
const value = 'x'.repeat(10_000);

const written: string[] = [];
const refused: string[] = [];

async function fill(store: EmbeddedStore, prefix: string): Promise<void> {
  for (let i = 0; i < 20; i += 1) {
    const key = `${prefix}/${i}`;
    try {
      await store.transact([{ op: 'set', key, value }]);
      written.push(key);
    } catch (error) {
      assert(hasCode(error, 'UNAVAILABLE'), String(error));
      assert.match(String(error), /no space left/i);
      refused.push(key);
    }
  }
}

async function assertHolds(store: EmbeddedStore): Promise<void> {
  const keys = (await store.list('')).map(({ key }) => key);
  assert.deepEqual(keys, written.toSorted());
}

{
  await using store = await EmbeddedStore.open({ dir });
  await fill(store, 'before');
  // A few pages are left: some of what comes now fits, the next fits in part.
  const { bavail, bsize } = await statfs(root);
  await writeFile(filler, Buffer.alloc((bavail - 5) * bsize));
  await fill(store, 'full');
  await assertHolds(store);
}
{
  // Opening needs no space.
  await using store = await EmbeddedStore.open({ dir });
  await assertHolds(store);
  await fill(store, 'still-full');
  await rm(filler);
  const before = refused.length;
  assert(before > 0, 'the disk was never full');
  await fill(store, 'space-again');
  assert.equal(refused.length, before);
  await assertHolds(store);
}
await using store = await EmbeddedStore.open({ dir });
await assertHolds(store);
