import test from 'ava';
import { type HeadedSource, HeadReader } from '../../../src/store/consul-heads.js';
import type { Entry } from '../../../src/store/index.js';
import { Outage } from '../../../src/util/index.js';

/** Keys with versions as Consul counts them, and a list of what was asked. */
class FakeSource implements HeadedSource {
  readonly asked: string[] = [];
  readonly #entries = new Map<string, Entry>();
  /** Of the last change under a prefix, removals too. */
  readonly #indexes = new Map<string, number>();
  #index = 10;

  /** One transaction; an empty value deletes. */
  write(values: Readonly<Record<string, string>>): void {
    this.#index += 1;
    for (const [key, value] of Object.entries(values)) {
      this.#indexes.set(key.slice(0, 2), this.#index);
      if (value === '') this.#entries.delete(key);
      else if (this.#entries.get(key)?.value !== value) {
        this.#entries.set(key, { key, value, version: this.#index });
      }
    }
  }

  onAway = () => () => undefined;
  readonly outage = new Outage();

  async get(key: string): Promise<Entry | undefined> {
    this.asked.push(key);
    return this.#entries.get(key);
  }

  async wake(prefix: string): Promise<number> {
    return this.#indexes.get(prefix) ?? this.#index;
  }

  async list(prefix: string) {
    this.asked.push(prefix);
    const entries = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix));
    return { entries, index: await this.wake(prefix), size: 0 };
  }
}

async function follow(hosts: number) {
  const source = new FakeSource();
  for (let i = 0; i < hosts; i += 1) source.write({ [`n/${i}`]: '0', [`h/${i}`]: '0' });
  const reader = new HeadReader(source, 'h/');
  let { index } = await reader.list('n/', {});
  source.asked.length = 0;
  const next = async () => {
    const listing = await reader.list('n/', { after: { index, waitMs: 1 } });
    index = listing.index;
    const found = listing.entries.map(({ key, value }) => `${key}=${value}`).toSorted();
    return { found, asked: source.asked.splice(0) };
  };
  return { source, next };
}

test('heads > what moved is read, and nothing else', async (t) => {
  const { source, next } = await follow(3);
  t.deepEqual(await next(), { found: ['n/0=0', 'n/1=0', 'n/2=0'], asked: [] });
  source.write({ 'n/1': '1', 'h/1': '1' });
  source.write({ 'n/2': '', 'h/2': '' });
  source.write({ 'n/3': '1', 'h/3': '1' });
  t.deepEqual(await next(), {
    found: ['n/0=0', 'n/1=1', 'n/3=1'],
    asked: ['h/', 'n/1', 'n/3', 'n/2'],
  });
  t.deepEqual((await next()).asked, []);
});

for (const [what, change] of [
  ['a value', { 'n/1': 'other' }],
  ['a new key', { 'n/9': '1' }],
  ['one that is gone', { 'n/1': '' }],
] as const) {
  test(`heads > ${what} without its head has everything read`, async (t) => {
    const { source, next } = await follow(2);
    source.write({ 'n/0': '1', 'h/0': '1' });
    source.write(change);
    t.deepEqual((await next()).asked, ['h/', 'n/']);
    t.deepEqual((await next()).asked, []);
  });
}

test('heads > without any, everything is read each time', async (t) => {
  const source = new FakeSource();
  source.write({ 'n/0': '0' });
  const reader = new HeadReader(source, 'h/');
  const { index } = await reader.list('n/', {});
  source.write({ 'n/0': '1' });
  const { entries } = await reader.list('n/', { after: { index, waitMs: 1 } });
  t.is(entries[0]?.value, '1');
});

test('heads > when most of many have moved, everything is read at once', async (t) => {
  const { source, next } = await follow(400);
  for (let i = 0; i < 300; i += 1) source.write({ [`n/${i}`]: '1', [`h/${i}`]: '1' });
  t.deepEqual((await next()).asked, ['h/', 'n/']);
});
