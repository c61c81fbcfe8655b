import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import fc from 'fast-check';
import type { ListOptions } from '../../../src/store/consul-client.js';
import type { Listing } from '../../../src/store/consul-reply.js';
import {
  nextIndex,
  readListing,
  readSessionId,
  readTransactionErrors,
  readVersions,
} from '../../../src/store/consul-reply.js';
import {
  type FailedCall,
  UnreadableReply,
  toStoreError,
} from '../../../src/store/consul-errors.js';
import { readRollback, toBatch } from '../../../src/store/consul-transaction.js';
import { PrefixWatch, applyListing } from '../../../src/store/consul-watch.js';
import {
  type Entry,
  type Lease,
  type Op,
  type StoreDetail,
  StoreError,
  stepsOf,
} from '../../../src/store/index.js';
import { Outage } from '../../../src/util/index.js';

const call: FailedCall = {
  address: 'http://192.0.2.1:8500',
  timeoutMs: 2_000,
  right: 'key write on "weft/v1/"',
  hasToken: true,
};
const lease = { id: 'session-1', lost: new AbortController().signal } as unknown as Lease;

function response(statusCode: number, payload: unknown): unknown {
  return Object.assign(new Error('npm says'), {
    isResponse: true,
    response: { statusCode, payload },
  });
}

const errors: readonly [
  title: string,
  thrown: unknown,
  code: StoreDetail['code'],
  words: RegExp,
][] = [
  [
    'no listener',
    { code: 'ECONNREFUSED', message: 'x' },
    'UNAVAILABLE',
    /8500 refuses connections$/,
  ],
  ['a reset', { code: 'ECONNRESET', message: 'x' }, 'UNAVAILABLE', /closed the connection/],
  [
    'no such name',
    { code: 'ENOTFOUND', message: 'x' },
    'UNAVAILABLE',
    /name that does not resolve/,
  ],
  ['a timeout', { isTimeout: true, message: 'x' }, 'UNAVAILABLE', /did not answer within 2000 ms$/],
  ['no JSON', { isCodec: true, message: 'x' }, 'UNAVAILABLE', /not JSON/],
  ['a cut', new Error('the reply was cut off'), 'UNAVAILABLE', /failed: the reply was cut off$/],
  ['nonsense', new UnreadableReply('no session id'), 'UNAVAILABLE', /answered with no session id$/],
  ['no leader', response(500, 'No cluster leader'), 'UNAVAILABLE', /500: No cluster leader$/],
  [
    'no leader, as octets',
    response(500, Buffer.from('No  cluster\nleader')),
    'UNAVAILABLE',
    /500: No cluster leader$/,
  ],
  ['busy', response(429, 'Too Many'), 'UNAVAILABLE', /429: Too Many$/],
  ['a bad gateway', response(502, {}), 'UNAVAILABLE', /502: bad gateway$/],
  [
    'no right',
    response(403, 'Permission denied'),
    'STORE_REFUSED',
    /the token lacks key write on "weft/,
  ],
  [
    'a strange token',
    response(403, 'rpc error: ACL not found'),
    'STORE_REFUSED',
    /does not know the token$/,
  ],
  [
    'too large',
    response(413, 'Request body too large'),
    'STORE_REFUSED',
    /too large: Request body/,
  ],
  ['a bad request', response(400, 'Bad key'), 'STORE_REFUSED', /400: Bad key$/],
  ['no error at all', 'a string', 'UNAVAILABLE', /failed: a string$/],
  ['nothing', undefined, 'UNAVAILABLE', /failed: undefined$/],
];
for (const [title, thrown, code, words] of errors) {
  test(`consul errors > ${title} is ${code}, in words`, (t) => {
    const error = toStoreError(thrown, call);
    t.is(error.code, code);
    t.regex(error.message, words);
    t.regex(error.message, /^consul at http:\/\/192\.0\.2\.1:8500 /);
    t.false(error.message.endsWith('.'));
  });
}

test('consul errors > keep nothing of the request', (t) => {
  const thrown = Object.assign(new Error('reset'), {
    code: 'ECONNRESET',
    response: { req: { headers: { 'x-consul-token': 'secret' } } },
  });
  t.like(toStoreError(thrown, call).cause, { message: 'reset', code: 'ECONNRESET' });
  t.false('response' in (toStoreError(thrown, call).cause as object));
});

test('consul reply > an index that goes back starts over, any other is waited on', (t) => {
  t.is(nextIndex(0, 17), 17);
  t.is(nextIndex(17, 17), 17);
  t.is(nextIndex(17, 18), 18);
  t.is(nextIndex(17, 16), 0);
  t.is(nextIndex(17, 1), 0);
});

test('consul reply > an index below 1 is taken as 1, and none is no reply', (t) => {
  const reply = (index?: string) => ({
    status: 404,
    headers: { 'x-consul-index': index },
    payload: '',
  });
  t.is(readListing(reply('0'), '').index, 1);
  t.is(readListing(reply('7'), '').index, 7);
  for (const index of [undefined, '', '-1', '1.5', 'x', '9'.repeat(30)]) {
    t.throws(() => readListing(reply(index), ''), { instanceOf: UnreadableReply }, index);
  }
});

test('consul reply > reads entries without the prefix, in order', (t) => {
  const item = (Key: string, text: string | null, ModifyIndex: number) => ({
    Key,
    Value: text === null ? null : Buffer.from(text).toString('base64'),
    ModifyIndex,
  });
  const payload = [item('p/b', 'ü', 2), item('p/a', null, 9)];
  const listing = readListing({ status: 200, headers: { 'x-consul-index': '9' }, payload }, 'p/');
  t.deepEqual(listing.entries, [
    { key: 'a', value: '', version: 9 },
    { key: 'b', value: 'ü', version: 2 },
  ]);
  t.is(listing.size, 3);
});

test('consul reply > a key twice is unreadable', (t) => {
  const payload = ['a', 'b', 'a'].map((Key) => ({ Key, Value: null, ModifyIndex: 1 }));
  const reply = { status: 200, headers: { 'x-consul-index': '9' }, payload };
  t.throws(() => readListing(reply, ''), { instanceOf: UnreadableReply, message: /twice/ });
});

test('consul reply > whatever comes, it is read or unreadable', (t) => {
  const field = fc.constantFrom(
    'Key',
    'Value',
    'ModifyIndex',
    'KV',
    'Results',
    'Errors',
    'OpIndex',
  );
  const payload = fc.oneof(
    fc.anything(),
    fc.array(fc.dictionary(field, fc.anything())),
    fc.dictionary(field, fc.array(fc.dictionary(field, fc.anything()))),
  );
  const readers: ((payload: unknown) => unknown)[] = [
    (p) => readListing({ status: 200, headers: { 'x-consul-index': '1' }, payload: p }, 'p/'),
    readSessionId,
    (p) => readVersions(p, []),
    (p) => readTransactionErrors(p, 3),
  ];
  fc.assert(
    fc.property(payload, (p) => {
      for (const read of readers) {
        try {
          read(p);
        } catch (error) {
          if (!(error instanceof UnreadableReply)) throw error;
        }
      }
    }),
  );
  t.pass();
});

test('consul reply > a rolled back transaction names its first error', (t) => {
  const payload = {
    Errors: [
      { OpIndex: 2, What: 'b' },
      { OpIndex: 0, What: 'a' },
    ],
  };
  t.deepEqual(readTransactionErrors(payload, 3)[0], { opIndex: 0, what: 'a' });
  t.throws(() => readTransactionErrors(payload, 2), { instanceOf: UnreadableReply });
  t.throws(() => readTransactionErrors({ Errors: [] }, 2), { instanceOf: UnreadableReply });
});

const verbs: readonly [Op, string, string][] = [
  [{ op: 'set', key: 'k', value: 'v' }, 'set', 'set'],
  [{ op: 'set', key: 'k', value: 'v', ifVersion: 0 }, 'cas 0', 'cas 0'],
  [{ op: 'set', key: 'k', value: 'v', ifVersion: 7 }, 'cas 7', 'cas 7'],
  [{ op: 'set', key: 'k', value: 'v', lease }, 'lock', 'delete lock'],
  [
    { op: 'set', key: 'k', value: 'v', lease, ifVersion: 0 },
    'check-not-exists lock',
    'check-not-exists delete lock',
  ],
  [
    { op: 'set', key: 'k', value: 'v', lease, ifVersion: 7 },
    'check-index 7 lock',
    'check-index 7 delete lock',
  ],
  [{ op: 'delete', key: 'k' }, 'delete', 'delete'],
  [{ op: 'delete', key: 'k', ifVersion: 0 }, 'check-not-exists', 'check-not-exists'],
  [{ op: 'delete', key: 'k', ifVersion: 7 }, 'check-index 7 delete', 'check-index 7 delete'],
  [{ op: 'check', key: 'k', ifVersion: 0 }, 'check-not-exists', 'check-not-exists'],
  [{ op: 'check', key: 'k', ifVersion: 7 }, 'check-index 7', 'check-index 7'],
];
test('consul transaction > each operation in words of Consul, within the steps it counts for', (t) => {
  for (const [op, plain, takingOver] of verbs) {
    for (const [takeOver, expected] of [
      [false, plain],
      [true, takingOver],
    ] as const) {
      const { operations } = toBatch([op], 'p/', takeOver);
      const words = operations.map(({ KV }) =>
        [KV.Verb, KV.Index].filter((x) => x !== undefined).join(' '),
      );
      t.is(words.join(' '), expected, JSON.stringify(op));
      t.true(operations.every(({ KV }) => KV.Key === 'p/k'));
      t.true(operations.length <= stepsOf(op), JSON.stringify(op));
    }
  }
});

test('consul transaction > an error is found back in the operation it came from', (t) => {
  const ops: Op[] = [
    { op: 'delete', key: 'a', ifVersion: 3 },
    { op: 'set', key: 'b', value: 'v', lease, ifVersion: 0 },
    { op: 'check', key: 'c', ifVersion: 1 },
  ];
  const batch = toBatch(ops, '', false);
  const at = (opIndex: number, what = 'no') => readRollback(batch, { opIndex, what });
  t.deepEqual(at(0), { kind: 'conflict', index: 0 });
  t.deepEqual(at(2), { kind: 'conflict', index: 1 });
  t.deepEqual(at(3, 'lock is already held'), { kind: 'bound elsewhere', index: 1 });
  t.deepEqual(at(3, 'invalid session "x"'), { kind: 'lease lost', index: 1 });
  t.deepEqual(at(4), { kind: 'conflict', index: 2 });
});

const listings = fc.uniqueArray(
  fc.record({
    key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    value: fc.constantFrom('1', '2'),
    version: fc.integer({ min: 1, max: 3 }),
  }),
  { selector: ({ key }) => key },
);

test('consul watch > a listing makes the known state equal to it, and names what differs', (t) => {
  fc.assert(
    fc.property(listings, listings, (before, after) => {
      const known = new Map(before.map((entry) => [entry.key, entry]));
      const changed = applyListing(known, after);
      const ordered = (list: readonly Entry[]) => list.toSorted((a, b) => (a.key < b.key ? -1 : 1));
      t.deepEqual(ordered([...known.values()]), ordered(after));
      const same = (a?: Entry, b?: Entry): boolean => JSON.stringify(a) === JSON.stringify(b);
      for (const key of 'abcde') {
        const [old, now] = [before, after].map((list) => list.find((entry) => entry.key === key));
        t.is(changed.has(key), !same(old, now), key);
      }
    }),
  );
});

/** Answers one listing after another, then waits for the signal; keeps what was asked. */
function scripted(answers: readonly (Partial<Listing> | StoreError)[], end: AbortController) {
  const asked: (number | 'all')[] = [];
  return {
    asked,
    onAway: () => () => undefined,
    outage: new Outage(),
    async list(_: string, { after }: { after?: { index: number } }): Promise<Listing> {
      asked.push(after?.index ?? 'all');
      const answer = answers[asked.length - 1];
      if (answer === undefined) end.abort();
      if (answer instanceof StoreError) throw answer;
      return { entries: [], index: 1, size: 0, ...answer };
    },
  };
}

test('consul watch > reads all at first, after a failure, after a query that ended for nothing, and when the index goes back', async (t) => {
  const end = new AbortController();
  const away = new StoreError({ code: 'UNAVAILABLE', store: 'consul' }, 'away');
  const entry = (version: number): Entry => ({ key: 'k', value: 'v', version });
  const source = scripted(
    [
      { index: 10, entries: [entry(10)] },
      // At once and with nothing new: a backup was restored, and this is what was before.
      { index: 10, entries: [entry(10)] },
      { index: 12, entries: [entry(12)] },
      away,
      { index: 12, entries: [entry(12)] },
      // Of another life: not to be believed before a full read says so.
      { index: 3, entries: [] },
      { index: 4, entries: [entry(4)] },
    ],
    end,
  );
  const states: boolean[] = [];
  const watch = new PrefixWatch(source, '', {
    signal: end.signal,
    onState: (up) => states.push(up),
  });
  const seen: number[] = [];
  for await (const { entries } of watch.snapshots()) seen.push(entries.get('k')?.version ?? 0);
  t.deepEqual(source.asked, ['all', 10, 'all', 12, 'all', 12, 'all', 4]);
  t.deepEqual(seen, [10, 12, 4]);
  t.deepEqual(states, [true, false, true]);
});

test('consul watch > does not hide an error that is not the store', async (t) => {
  const end = new AbortController();
  const source = {
    onAway: () => () => undefined,
    outage: new Outage(),
    list: async () => Promise.reject(new TypeError('a bug')),
  };
  const watch = new PrefixWatch(source, '', { signal: end.signal });
  await t.throwsAsync(watch.snapshots().next(), { instanceOf: TypeError });
});

test('consul watch > of many watches one asks while Consul is away, and all ask when it answered', async (t) => {
  const end = new AbortController();
  const away = new StoreError({ code: 'UNAVAILABLE', store: 'consul' }, 'away');
  const outage = new Outage();
  const asked = new Map<string, number>();
  let isAway = true;
  const source = {
    onAway: () => () => undefined,
    outage,
    async list(prefix: string, { after, signal }: ListOptions): Promise<Listing> {
      asked.set(prefix, (asked.get(prefix) ?? 0) + 1);
      if (isAway) throw away;
      outage.answered();
      if (after) await once(signal!, 'abort');
      return { entries: [], index: 1, size: 0 };
    },
  };
  const prefixes = ['a/', 'b/', 'c/', 'd/'];
  const stops = prefixes.map(() => new AbortController());
  const firsts = prefixes.map(async (prefix, i) => {
    const signal = AbortSignal.any([end.signal, stops[i]!.signal]);
    const watch = new PrefixWatch(source, prefix, { signal });
    for await (const _ of watch.snapshots()) return;
  });
  const untilAsked = async (prefix: string, times: number): Promise<void> => {
    while ((asked.get(prefix) ?? 0) < times) await delay(5);
  };
  await untilAsked('a/', 5);
  t.deepEqual([asked.get('b/'), asked.get('c/'), asked.get('d/')], [1, 1, 1]);
  // Who asks may end; another one takes its turn.
  stops[0]!.abort();
  await firsts[0];
  await Promise.any(['b/', 'c/', 'd/'].map(async (prefix) => untilAsked(prefix, 3)));
  isAway = false;
  await Promise.all(firsts);
  t.is(asked.get('a/'), 5);
  end.abort();
});
