import test from 'ava';
import dnsPacket, { type Answer } from 'dns-packet';
import { Elsewhere } from '../../../../src/dns/server/elsewhere.js';
import type { OnReply } from '../../../../src/dns/server/forwarder.js';
import { type Query, RCODE } from '../../../../src/dns/wire/index.js';
import { type Ask, decode, queryOf, rcodeOf } from '../query-of.js';

interface Said {
  readonly rcode?: number;
  readonly flags?: number;
  readonly answers?: readonly Answer[];
  readonly authorities?: readonly Answer[];
}

const a = (ttl: number, name = 'www.example.com'): Answer => ({
  name,
  type: 'A',
  ttl,
  data: '192.0.2.1',
});
const soa = (ttl: number, minimum: number, name = 'example.com'): Answer => {
  const data = { mname: 'a', rname: 'b', serial: 1, refresh: 2, retry: 3, expire: 4, minimum };
  return { name, type: 'SOA', ttl, data };
};

/** An upstream that answers when it is told to, and a clock that stands. */
class World {
  nowMs = 1000;
  readonly asked: Query[] = [];
  readonly elsewhere = new Elsewhere(
    {
      ask: (query, onReply) => {
        this.asked.push(query);
        this.#waiting.push({ query, onReply });
      },
    },
    () => this.nowMs,
  );
  readonly #waiting: { readonly query: Query; readonly onReply: OnReply }[] = [];

  /** Replies come into the list that this returns. */
  ask(name: string, type = 'A', ask: Ask = {}): (Uint8Array | undefined)[] {
    const replies: (Uint8Array | undefined)[] = [];
    this.elsewhere.ask(queryOf(name, type, ask), (reply) => replies.push(reply));
    return replies;
  }

  /** To the oldest question; undefined: it gave up. */
  say(said: Said | undefined): void {
    const { query, onReply } = this.#waiting.shift()!;
    if (said === undefined) return onReply(undefined);
    const { rcode = 0, flags = 0, answers = [], authorities = [] } = said;
    const question = dnsPacket.decode(Buffer.from(query.message)).questions!;
    const reply = dnsPacket.encode({
      type: 'response',
      id: query.id,
      flags: rcode | flags,
      questions: question,
      answers: [...answers],
      authorities: [...authorities],
    });
    return onReply(reply);
  }

  /** Whether the question is answered from memory, once it was answered so. */
  keeps(said: Said, name = 'www.example.com', type = 'A', ask: Ask = {}): boolean {
    this.ask(name, type, ask);
    this.say(said);
    return this.ask(name, type, ask).length === 1;
  }
}

test('elsewhere > an answer is given again, with what is left of its TTL, to every spelling', (t) => {
  const world = new World();
  world.ask('www.example.com');
  world.say({ answers: [a(30)], flags: dnsPacket.AUTHORITATIVE_ANSWER });
  world.nowMs += 12_500;
  const [reply] = world.ask('WWW.example.com', 'A', { id: 99 });
  const read = decode(reply!);
  t.like(read, { id: 99, flag_aa: false });
  t.is(read.questions?.[0]?.name, 'WWW.example.com');
  t.like(read.answers, [{ ttl: 18, data: '192.0.2.1' }]);
  world.nowMs += 17_500;
  t.deepEqual(world.ask('www.example.com'), []);
  t.is(world.asked.length, 2);
});

test('elsewhere > nothing is kept for longer than a minute, and that there is nothing for ten seconds', (t) => {
  const world = new World();
  t.true(world.keeps({ answers: [a(86_400)] }));
  t.true(world.keeps({ authorities: [soa(3600, 3600)] }, 'www.example.com', 'AAAA'));
  world.nowMs += 10_000;
  t.is(world.ask('www.example.com', 'AAAA').length, 0);
  world.nowMs += 49_999;
  t.is(world.ask('www.example.com').length, 1);
  world.nowMs += 1;
  t.is(world.ask('www.example.com').length, 0);
});

const none = { rcode: RCODE.NXDOMAIN } as const;
const cases: readonly (readonly [string, boolean, Said, string?, string?, Ask?])[] = [
  ['an answer', true, { answers: [a(30)] }],
  ['an answer with EDNS', true, { answers: [a(30)] }, 'www.example.com', 'A', { edns: 1232 }],
  ['no such name', true, { ...none, authorities: [soa(60, 5)] }],
  ['no such type', true, { authorities: [soa(60, 5)] }],
  ['an answer of Docker’s own', false, { answers: [a(600)] }],
  ['a name without a dot', false, { answers: [a(30, 'api')] }, 'api'],
  ['no such name, without a dot', false, { ...none, authorities: [soa(60, 5)] }, 'api'],
  ['no such domain in the root', false, { ...none, authorities: [soa(60, 60, '.')] }, 'api.web'],
  ['an address', false, { ...none, authorities: [soa(60, 60)] }, '1.0.0.10.in-addr.arpa', 'PTR'],
  ['no such name, without an SOA', false, none],
  ['no such type, without an SOA', false, {}],
  ['a TTL of zero', false, { answers: [a(0)] }],
  ['no word of how long', false, { ...none, authorities: [soa(60, 0)] }],
  ['a TTL beyond what one can be', false, { answers: [a(0x8000_0000)] }],
  ['a failure', false, { rcode: RCODE.SERVFAIL, authorities: [soa(60, 60)] }],
  ['what was cut off', false, { flags: dnsPacket.TRUNCATED_RESPONSE, answers: [a(30)] }],
  ['all there is', false, { answers: [a(30)] }, 'www.example.com', 'ANY'],
];

for (const [what, isKept, said, name, type, ask] of cases) {
  test(`elsewhere > ${isKept ? 'keeps' : 'does not keep'} ${what}`, (t) => {
    t.is(new World().keeps(said, name, type, ask), isKept);
  });
}

test('elsewhere > one question is asked once for all who wait, and each has its own id', (t) => {
  const world = new World();
  const replies = [1, 2, 3].map((id) => world.ask('api', 'A', { id }));
  t.is(world.asked.length, 1);
  world.say({ answers: [a(600, 'api')] });
  t.deepEqual(
    replies.map(([reply]) => decode(reply!).id),
    [1, 2, 3],
  );
});

test('elsewhere > who asks again after a second has it asked again', (t) => {
  const world = new World();
  world.ask('api');
  world.nowMs += 1000;
  const again = world.ask('api');
  t.is(world.asked.length, 2);
  world.say(undefined);
  t.deepEqual(again, []);
  world.say({ answers: [a(600, 'api')] });
  t.is(again.length, 1);
});

test('elsewhere > when none comes all who wait are told, and it may be asked again', (t) => {
  const world = new World();
  const replies = [world.ask('api'), world.ask('api')];
  world.say(undefined);
  t.deepEqual(replies, [[undefined], [undefined]]);
  world.ask('api');
  t.is(world.asked.length, 2);
});

test('elsewhere > of one container no more than so many wait, whatever it asks', (t) => {
  const world = new World();
  const replies = Array.from({ length: 2000 }, () => world.ask('api'));
  t.is(replies.filter(([reply]) => reply === undefined).length, 2000);
  t.is(replies.filter(({ length }) => length === 1).length, 2000 - 1 - 1024);
});

test('elsewhere > the oldest answers make room, so that memory is bounded', (t) => {
  const world = new World();
  const names = Array.from({ length: 2000 }, (_, i) => `n${i}.example.com`);
  for (const name of names) t.true(world.keeps({ answers: [a(30, name)] }, name), name);
  t.is(world.ask(names[0]!).length, 0);
  const kept = names.slice(1).filter((name) => world.ask(name).length === 1);
  t.true(kept.length >= 100 && kept.length <= 256, String(kept.length));
});

test('elsewhere > forgets all when it is told to', (t) => {
  const world = new World();
  t.true(world.keeps({ answers: [a(30)] }));
  world.elsewhere.forget();
  t.deepEqual(world.ask('www.example.com'), []);
});

test('elsewhere > a failure is passed on as it came', (t) => {
  const world = new World();
  const [first, second] = [world.ask('www.example.com'), world.ask('www.example.com')];
  world.say({ rcode: RCODE.SERVFAIL });
  for (const [reply] of [first, second]) t.is(rcodeOf(decode(reply!)), 'SERVFAIL');
});
