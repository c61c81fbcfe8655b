import test from 'ava';
import fc from 'fast-check';
import { NetlinkError, nft } from '../../../../src/netlink/index.js';
import { decode, encode } from '../../../../src/netlink/codec.js';
import { Connection } from '../../../../src/netlink/connection.js';
import { type Received, encodeBatch, splitDatagram } from '../../../../src/netlink/message.js';
import { commit } from '../../../../src/netlink/nf/commit.js';
import { type TableForm, tableForm } from '../../../../src/netlink/nf/form.js';
import { newElements, newTable } from '../../../../src/netlink/nf/message.js';
import { planTable } from '../../../../src/netlink/nf/plan.js';
import { decodeTableEvent } from '../../../../src/netlink/nf/table.js';
import { commentOnly, setUserdata } from '../../../../src/netlink/nf/userdata.js';
import { FAMILY, NFT_NEWSETELEM } from '../../../../src/netlink/nf/wire.js';
import { ack, fakeSocket } from '../fake-socket.js';

const { accept, drop, rule } = nft;

const base = { type: 'filter', hook: 'input', priority: 0 } as const;
const known: nft.SetSpec = {
  name: 'known',
  type: ['ipv4_addr'],
  elements: [{ key: ['10.0.0.1'] }, { key: ['10.0.0.2'], comment: 'two' }],
};
const input: nft.ChainSpec = {
  name: 'input',
  base,
  rules: [rule('all', nft.ip.saddr.in('known'), nft.jump('more'))],
};
const more: nft.ChainSpec = { name: 'more', rules: [rule(undefined, accept)] };
const table: nft.TableSpec = { family: 'inet', name: 'weft', sets: [known], chains: [input, more] };

/** The plan in words: kind of message and what it is about. */
function planned(desired: nft.TableSpec, observed?: nft.TableSpec): string[] {
  const plan = planTable(tableForm(desired), observed && tableForm(observed));
  return plan.map((m) => `${m.kind.name.slice(8)} ${m.about?.replace(' of table inet weft', '')}`);
}

test('plan > a new table is made sets first, rules last', (t) => {
  t.deepEqual(planned(table), [
    'NEWTABLE table inet weft',
    'NEWSET set "known"',
    'NEWCHAIN chain "input"',
    'NEWCHAIN chain "more"',
    'NEWSETELEM elements of set "known"',
    'NEWRULE rule "all" of chain "input"',
    'NEWRULE a rule of chain "more"',
  ]);
});

test('plan > what is as it shall be needs nothing', (t) => {
  t.deepEqual(planned(table, table), []);
});

test('plan > elements that come, go or change need no more than elements', (t) => {
  const elements = [{ key: ['10.0.0.2'] }, { key: ['10.0.0.3'] }];
  const changed = { ...table, sets: [{ ...known, elements }] };
  t.deepEqual(planned(changed, table), [
    'DELSETELEM elements of set "known"',
    'NEWSETELEM elements of set "known"',
  ]);
  const none = { ...table, sets: [{ ...known, elements: [] }] };
  t.deepEqual(planned(none, table), ['DELSETELEM elements of set "known"']);
});

test('plan > a chain with other rules is filled anew, the others are left alone', (t) => {
  const changed = { ...table, chains: [input, { ...more, rules: [rule('no', drop)] }] };
  t.deepEqual(planned(changed, table), [
    'DELRULE rules of chain "more"',
    'NEWRULE rule "no" of chain "more"',
  ]);
});

test('plan > a rule with another comment is another rule', (t) => {
  const changed = { ...table, chains: [input, { ...more, rules: [rule('why', accept)] }] };
  t.deepEqual(planned(changed, table).length, 2);
});

test('plan > chains and sets that nobody wants go after what refers to them', (t) => {
  const bare = { ...table, sets: [], chains: [{ ...input, rules: [] }] };
  t.deepEqual(planned(bare, table), [
    'DELRULE rules of chain "input"',
    'DELRULE rules of chain "more"',
    'DELSET set "known"',
    'DELCHAIN chain "more"',
  ]);
});

test('plan > a base chain elsewhere is a new chain, of which nothing can know', (t) => {
  const moved = { ...input, base: { ...base, priority: -5 } };
  t.deepEqual(planned({ ...table, chains: [moved, more] }, table), [
    'DELCHAIN chain "input"',
    'NEWCHAIN chain "input"',
    'NEWRULE rule "all" of chain "input"',
  ]);
});

test('plan > a set of another type, or a chain of another nature, is a new table in the same step', (t) => {
  const cases: readonly nft.TableSpec[] = [
    { ...table, sets: [{ name: 'known', type: ['ipv6_addr'] }] },
    { ...table, sets: [{ ...known, comment: 'others' }] },
    { ...table, chains: [input, { ...more, base }] },
    { ...table, comment: 'ours' },
  ];
  for (const [i, changed] of cases.entries()) {
    t.deepEqual(
      planned(changed, table).slice(0, 2),
      ['DELTABLE table inet weft', 'NEWTABLE table inet weft'],
      `case ${i}`,
    );
  }
});

test('plan > a set that a foreign rule carries inside itself goes with the rule', (t) => {
  const observed = tableForm(table);
  const inside = { ...observed.sets.get('known')!, name: '__set0', flags: 3 };
  const withInside: TableForm = {
    ...observed,
    sets: new Map([...observed.sets, ['__set0', inside]]),
  };
  t.deepEqual(planTable(tableForm(table), withInside), []);
});

test('elements > a large set goes out in messages that an attribute can carry', (t) => {
  const elements = Array.from({ length: 5000 }, (_, i) => ({
    key: [`10.0.${i >> 8}.${i & 255}`],
    comment: 'x'.repeat(i % 100),
  }));
  const form = tableForm({ ...table, sets: [{ ...known, elements }] }).sets.get('known')!;
  const messages = newElements(table, 'known', form.elements.values());
  t.true(messages.length > 1);
  const sent = splitDatagram(encodeBatch(messages, 1).octets).flatMap(
    (m) => NFT_NEWSETELEM.codec.read(m.from, m.at, m.length).attrs.elements ?? [],
  );
  t.is(sent.length, 5000);
});

test('elements > a key that is not of the set is refused by its type', (t) => {
  const refuse = (key: nft.Key) =>
    t.throws(() => tableForm({ ...table, sets: [{ ...known, elements: [{ key }] }] }), {
      code: 'UNENCODABLE',
      message: /ipv4_addr/,
    });
  refuse(['fd00::1']);
  refuse(['10.0.0.1', 80]);
  refuse([]);
});

test('comment > 127 octets are the most', (t) => {
  t.is(decode(commentOnly, encode(commentOnly, { comment: 'x'.repeat(127) })).comment?.length, 127);
  t.throws(() => encode(commentOnly, { comment: 'é'.repeat(64) }), { code: 'UNENCODABLE' });
});

test('userdata > what nft adds is passed over, what is cut short is malformed', (t) => {
  const octets = Uint8Array.of(0, 4, 2, 0, 0, 0, 3, 1, 9, 7, 2, 0x68, 0);
  t.deepEqual(decode(setUserdata, octets), { keyByteOrder: 2, comment: 'h' });
  t.throws(() => decode(setUserdata, octets.subarray(0, -1)), { code: 'MALFORMED' });
});

test('commit > the kernel is asked in one batch, and answers for the last message', async (t) => {
  const socket = fakeSocket((sent) => [ack(sent.at(-2)!, 0)]);
  await commit(new Connection(socket), planTable(tableForm(table), undefined));
  const sent = splitDatagram(socket.requests[0]!);
  t.is(socket.requests.length, 1);
  t.deepEqual([sent[0]?.type, sent.at(-1)?.type], [16, 17]);
  t.is(sent.filter((m) => (m.flags & 4) !== 0).length, 1);
});

test('commit > the first refusal is thrown, and names what was refused', async (t) => {
  const socket = fakeSocket((sent) => [
    ack(sent[6]!, 2, { text: 'no such chain' }),
    ack(sent.at(-2)!, 0),
  ]);
  await t.throwsAsync(commit(new Connection(socket), planTable(tableForm(table), undefined)), {
    code: 'ENOENT',
    message: /rule "all" of chain "input" of table inet weft .*no such chain/,
  });
});

test('commit > a batch that fails as a whole is thrown', async (t) => {
  const socket = fakeSocket((sent) => [ack(sent[0]!, 1)]);
  await t.throwsAsync(commit(new Connection(socket), [newTable(table, undefined)]), {
    code: 'EPERM',
  });
});

test('commit > nothing to do is not sent', async (t) => {
  const socket = fakeSocket(() => []);
  await commit(new Connection(socket), []);
  t.is(socket.requests.length, 0);
});

const received = (octets: Uint8Array, type: number): Received => {
  const from = Buffer.from(octets);
  return { type, flags: 0, sequence: 0, port: 0, from, at: 0, length: from.length };
};

test('events > name the table, whatever in it has changed', (t) => {
  for (const m of splitDatagram(encodeBatch(planTable(tableForm(table), undefined), 1).octets)) {
    t.deepEqual(decodeTableEvent(m), { type: 'table', by: 0, family: 'inet', name: 'weft' });
  }
  t.is(
    decodeTableEvent(received(Uint8Array.of(0, 0, 0, 1, 8, 0, 1, 0, 0, 0, 0, 7), 0xa0f)),
    undefined,
  );
});

test('events > random octets are an event, none, or malformed', (t) => {
  const types = fc.integer({ min: 0xa00, max: 0xaff });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), types, (octets, type) => {
      try {
        const event = decodeTableEvent(received(octets, type));
        t.true(event === undefined || event.family in FAMILY);
      } catch (error) {
        t.true(error instanceof NetlinkError && error.code === 'MALFORMED', String(error));
      }
    }),
  );
});
