import test from 'ava';
import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import {
  RCODE,
  TYPE,
  answersQuestion,
  isName,
  isQuery,
  parseQuery,
  replyLimit,
  sameQuestion,
} from '../../../../src/dns/wire/index.js';
import { type Ask, queryOctets, queryOf } from '../query-of.js';

test('query > reads what dns-packet writes', (t) => {
  const query = queryOf('Api.Web.weft', 'AAAA', { id: 12, edns: 4096, dnssecOk: true });
  t.like(query, { id: 12, name: 'api.web.weft', type: TYPE.AAAA, class: 1 });
  t.deepEqual(query.edns, { udpOctets: 4096, version: 0, isDnssecOk: true, hasOptions: false });
});

test('query > the root has an empty name', (t) => {
  t.is(queryOf('.', 'NS').name, '');
});

test('query > the limit is what the asker takes, and never beyond what passes without fragments', (t) => {
  t.is(replyLimit(queryOf('a', 'A'), 'udp'), 512);
  t.is(replyLimit(queryOf('a', 'A', { edns: 100 }), 'udp'), 512);
  t.is(replyLimit(queryOf('a', 'A', { edns: 900 }), 'udp'), 900);
  t.is(replyLimit(queryOf('a', 'A', { edns: 65_535 }), 'udp'), 1232);
  t.is(replyLimit(queryOf('a', 'A'), 'tcp'), 65_535);
});

test('query > is the same as another but for its id and spelling, and nothing else', (t) => {
  const key = (name: string, type: string, ask?: Ask) => sameQuestion(queryOf(name, type, ask));
  const one = key('api.example', 'A', { id: 1, edns: 1232 });
  t.is(key('API.Example', 'A', { id: 2, edns: 1232 }), one);
  t.not(key('api.example', 'AAAA', { edns: 1232 }), one);
  t.not(key('apis.example', 'A', { edns: 1232 }), one);
  t.not(key('api.example', 'A', { edns: 512 }), one);
  t.not(key('api.example', 'A', { edns: 1232, dnssecOk: true }), one);
  t.not(key('api.example', 'A'), one);
});

const good = Buffer.from(queryOctets('api', 'A', { edns: 1232 }));
const changed = (at: number, ...octets: readonly number[]): Buffer => {
  const copy = Buffer.from(good);
  copy.set(octets, at);
  return copy;
};
const hostile: readonly (readonly [string, Uint8Array, number | undefined])[] = [
  ['nothing', Buffer.alloc(0), undefined],
  ['less than a header', good.subarray(0, 11), undefined],
  ['an answer', changed(2, 0x81), undefined],
  ['another operation', changed(2, 0x28), RCODE.NOTIMP],
  ['no question', changed(4, 0, 0), RCODE.FORMERR],
  ['two questions', changed(4, 0, 2), RCODE.FORMERR],
  ['an answer section', changed(6, 0, 1), RCODE.FORMERR],
  ['a name without end', good.subarray(0, 15), RCODE.FORMERR],
  ['a question without class', good.subarray(0, 19), RCODE.FORMERR],
  ['a pointer to itself', changed(12, 0xc0, 12), RCODE.FORMERR],
  ['a label of 64 octets', changed(12, 64), RCODE.FORMERR],
  ['more records than there are', changed(10, 0, 2), RCODE.FORMERR],
  ['very many records', changed(10, 255, 255), RCODE.FORMERR],
  ['an OPT that is not at the root', changed(21, 1), RCODE.FORMERR],
  ['an OPT longer than the message', changed(30, 0, 9), RCODE.FORMERR],
];
for (const [what, octets, rcode] of hostile) {
  test(`query > ${what} gets ${rcode === undefined ? 'silence' : `code ${rcode}`}`, (t) => {
    const parsed = parseQuery(octets);
    t.false(isQuery(parsed));
    if (!isQuery(parsed)) t.is(parsed.rcode, rcode);
  });
}

test('query > a name of 255 octets is read, one of 256 is not', (t) => {
  const labels = (last: number): Buffer => {
    const sizes = [63, 63, 63, last];
    const parts = sizes.flatMap((size) => [Buffer.of(size), Buffer.alloc(size, 97)]);
    return Buffer.concat([good.subarray(0, 12), ...parts, Buffer.of(0, 0, 1, 0, 1)]);
  };
  const withoutOpt = (octets: Buffer): Buffer => {
    octets[11] = 0;
    return octets;
  };
  t.true(isQuery(parseQuery(withoutOpt(labels(61)))));
  t.false(isQuery(parseQuery(withoutOpt(labels(62)))));
});

test('query > a label with a dot inside has no text, and is no name of ours', (t) => {
  const octets = Buffer.concat([good.subarray(0, 12), Buffer.from([3, 97, 46, 98, 0, 0, 1, 0, 1])]);
  octets[11] = 0;
  const query = parseQuery(octets);
  t.true(isQuery(query) && query.name === undefined);
});

test('query > an answer belongs to a question by its spelling too', (t) => {
  const query = queryOf('aPi.example', 'A');
  const reply = (name: string): Buffer =>
    dnsPacket.encode({ type: 'response', id: 1, questions: [{ name, type: 'A', class: 'IN' }] });
  t.true(answersQuestion(reply('aPi.example'), query));
  t.false(answersQuestion(reply('api.example'), query));
  t.false(answersQuestion(reply('aPi.example').subarray(0, 20), query));
  t.false(answersQuestion(query.message, query), 'a question is no answer');
});

test('query > no octets make it throw or read beyond the end', (t) => {
  const spoilt = fc
    .tuple(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }), fc.nat(60))
    .map(([changes, length]) => {
      const copy = Buffer.from(good);
      for (const [at, octet] of changes) copy[at] = octet;
      return copy.subarray(0, length);
    });
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), spoilt), (octets) => {
      const parsed = parseQuery(octets);
      return isQuery(parsed) ? parsed.questionEnd <= octets.length : true;
    }),
    { numRuns: 3000 },
  );
  t.pass();
});

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,63}$/);
const anyName = fc.array(label, { minLength: 1, maxLength: 6 }).map((labels) => labels.join('.'));

test('query > reads any name that dns-packet can write', (t) => {
  fc.assert(
    fc.property(anyName.filter(isName), (name) => queryOf(name, 'A').name === name.toLowerCase()),
  );
  t.pass();
});

test('query > what is a name is decided by labels and length', (t) => {
  for (const name of ['a', 'a.b', '_80._tcp.api', `${'a'.repeat(63)}.b`])
    t.true(isName(name), name);
  for (const name of ['', '.', 'a..b', 'a.', '.a', 'a b', 'ä', 'a'.repeat(64), 'ab.'.repeat(90)]) {
    t.false(isName(name), name);
  }
});
