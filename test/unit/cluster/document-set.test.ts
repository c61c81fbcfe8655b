import test from 'ava';
import { DocumentSet } from '../../../src/cluster/document-set.js';
import type { Snapshot } from '../../../src/store/index.js';

const KEY = 'things/a';

function snapshot(value: string | undefined): Snapshot {
  const entries = new Map(value === undefined ? [] : [[KEY, { key: KEY, value, version: 1 }]]);
  return { entries, changed: new Set([KEY]) } as unknown as Snapshot;
}

function setUp() {
  const damaged: [string, boolean][] = [];
  const parse = (text: string): string | undefined =>
    text.startsWith('{"v":1') ? text : undefined;
  const documents = new DocumentSet(
    parse,
    () => KEY,
    (key, isNewer) => damaged.push([key, isNewer]),
  );
  const apply = async (value: string | undefined): Promise<string[]> => {
    const changed: string[] = [];
    for await (const some of documents.apply(snapshot(value))) changed.push(...some);
    return changed;
  };
  return { documents, damaged, apply };
}

test('document set > what can’t be read is absent, and said', async (t) => {
  const { documents, damaged, apply } = setUp();
  t.deepEqual(await apply('{"v":1}'), [KEY]);
  t.deepEqual(await apply('nonsense'), [KEY]);
  t.is(documents.get(KEY), undefined);
  t.deepEqual(damaged, [[KEY, false]]);
});

test('document set > of what a newer weft wrote the last known holds, until it can be read or is gone', async (t) => {
  const { documents, damaged, apply } = setUp();
  await apply('{"v":1,"a":1}');
  t.deepEqual(await apply('{"v":2,"a":2}'), []);
  t.is(documents.get(KEY), '{"v":1,"a":1}');
  t.deepEqual(damaged, [[KEY, true]]);
  t.deepEqual(await apply('{"v":1,"a":3}'), [KEY]);
  t.is(documents.get(KEY), '{"v":1,"a":3}');
  await apply('{"v":2}');
  t.deepEqual(await apply(undefined), [KEY]);
  t.is(documents.get(KEY), undefined);
});
