import test from 'ava';
import fc from 'fast-check';
import {
  RCODE,
  type Reply,
  type ResourceRecord,
  TYPE,
  bareReply,
  isName,
  writeRejection,
  writeReply,
} from '../../../../src/dns/wire/index.js';
import { parseAddress } from '../../../../src/net/index.js';
import { decode, queryOctets, queryOf, rcodeOf } from '../query-of.js';

const address = (i: number): ResourceRecord => ({
  type: TYPE.A,
  ttl: 5,
  address: parseAddress(`10.0.${i >> 8}.${i & 255}`),
});
const answering = (answers: readonly ResourceRecord[], rest: Partial<Reply> = {}): Reply => ({
  ...bareReply(RCODE.NOERROR),
  isAuthoritative: true,
  answers,
  ...rest,
});
const many = (count: number): ResourceRecord[] =>
  Array.from({ length: count }, (_, i) => address(i));

test('response > every kind of record reads back as it was written', (t) => {
  const soa = { type: TYPE.SOA, ttl: 9, primary: 'weft', mailbox: 'nobody.weft' } as const;
  const reply = answering(
    [
      address(1),
      { type: TYPE.AAAA, ttl: 6, address: parseAddress('fd00::1') },
      { type: TYPE.PTR, ttl: 7, target: 'api.web.weft' },
      { type: TYPE.SRV, ttl: 8, priority: 1, weight: 2, port: 80, target: 'api.web.weft' },
    ],
    {
      authority: [{ ...soa, owner: 'weft', serial: 3_000_000_000, minimum: 5 }],
      additional: [{ ...address(2), owner: 'api.web.weft' }],
    },
  );
  const read = decode(writeReply(queryOf('Api.web.weft', 'A'), reply, 512));
  t.true(read.flag_aa && read.flag_ra && read.flag_rd);
  t.is(read.questions?.[0]?.name, 'Api.web.weft');
  t.like(read.answers, [
    { name: 'Api.web.weft', type: 'A', ttl: 5, data: '10.0.0.1' },
    { name: 'Api.web.weft', type: 'AAAA', ttl: 6, data: 'fd00::1' },
    { name: 'Api.web.weft', type: 'PTR', ttl: 7, data: 'Api.web.weft' },
    {
      type: 'SRV',
      ttl: 8,
      data: { priority: 1, weight: 2, port: 80, target: 'api.web.weft' },
    },
  ]);
  t.like(read.authorities, [
    {
      name: 'weft',
      type: 'SOA',
      data: { mname: 'weft', rname: 'nobody.weft', serial: 3_000_000_000, minimum: 5 },
    },
  ]);
  t.like(read.additionals, [{ name: 'Api.web.weft', data: '10.0.0.2' }]);
});

test('response > twenty addresses take 16 octets each', (t) => {
  const query = queryOf('api', 'A');
  t.is(writeReply(query, answering(many(20)), 512).length, query.questionEnd + 20 * 16);
});

test('response > what does not fit is cut by whole records and sets TC', (t) => {
  const read = decode(writeReply(queryOf('api', 'A'), answering(many(100)), 512));
  t.true(read.flag_tc);
  t.is(read.answers?.length, Math.floor((512 - 21) / 16));
});

test('response > additional records that do not fit are no reason to come again', (t) => {
  const additional = many(60).map((each) => ({ ...each, owner: 'x.web.weft' }));
  const read = decode(writeReply(queryOf('a', 'A'), answering(many(1), { additional }), 512));
  t.false(read.flag_tc);
  t.true((read.additionals?.length ?? 0) < 60);
});

test('response > a thousand addresses fit by TCP', (t) => {
  const read = decode(writeReply(queryOf('api', 'A'), answering(many(1000)), 65_535));
  t.false(read.flag_tc);
  t.is(read.answers?.length, 1000);
});

test('response > ten thousand addresses do not, and say so', (t) => {
  const octets = writeReply(queryOf('api', 'A', { edns: 1232 }), answering(many(10_000)), 65_535);
  t.true(octets.length <= 65_535);
  t.true(decode(octets).flag_tc);
});

test('response > EDNS is answered with EDNS, within the limit, and only then', (t) => {
  const octets = writeReply(
    queryOf('api', 'A', { edns: 600, dnssecOk: true }),
    answering(many(100)),
    600,
  );
  t.true(octets.length <= 600);
  t.like(decode(octets).additionals, [{ type: 'OPT', udpPayloadSize: 1232, flag_do: true }]);
  t.is(decode(writeReply(queryOf('api', 'A'), answering([]), 512)).additionals?.length, 0);
});

test('response > a code beyond 15 is in OPT', (t) => {
  const octets = writeReply(queryOf('a', 'A', { edns: 1232 }), bareReply(RCODE.BADVERS), 512);
  t.is(octets[3]! & 15, 0);
  t.like(decode(octets).additionals, [{ type: 'OPT', extendedRcode: 1 }]);
});

test('response > a rejection carries id and operation and nothing else', (t) => {
  const octets = writeRejection(queryOctets('api', 'A', { id: 77 }), RCODE.FORMERR);
  t.is(octets.length, 12);
  const read = decode(octets);
  t.is(read.id, 77);
  t.is(read.type, 'response');
  t.is(rcodeOf(read), 'FORMERR');
});

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
const name = fc
  .array(fc.oneof(label, fc.constantFrom('weft', 'web', 'Web', 'a')), {
    minLength: 1,
    maxLength: 7,
  })
  .map((labels) => labels.join('.'))
  .filter(isName);

test('response > names are compressed so that they read back as they are, but for case', (t) => {
  const records = fc.array(fc.tuple(name, name, fc.boolean()), { maxLength: 30 });
  fc.assert(
    fc.property(name, records, (asked, drawn) => {
      const answers = drawn.map(([owner, target, isSrv]): ResourceRecord => {
        if (!isSrv) return { type: TYPE.PTR, ttl: 1, owner, target };
        return { type: TYPE.SRV, ttl: 1, owner, priority: 0, weight: 1, port: 1, target };
      });
      const octets = writeReply(queryOf(asked, 'PTR'), answering(answers), 65_535);
      const read = (decode(octets).answers ?? []).map((each) => {
        const { data } = each as { data: string | { target: string } };
        return [each.name, typeof data === 'string' ? data : data.target].join(' ').toLowerCase();
      });
      t.deepEqual(
        read,
        drawn.map(([owner, target]) => `${owner} ${target}`.toLowerCase()),
      );
    }),
    { numRuns: 300 },
  );
});

test('response > no limit is ever passed', (t) => {
  const records = fc.array(fc.tuple(name, name), { maxLength: 60 });
  fc.assert(
    fc.property(name, records, fc.integer({ min: 512, max: 1232 }), (asked, drawn, limit) => {
      const answers = drawn.map(([owner, target]): ResourceRecord => ({
        type: TYPE.PTR,
        ttl: 1,
        owner,
        target,
      }));
      const octets = writeReply(queryOf(asked, 'PTR', { edns: 1232 }), answering(answers), limit);
      const read = decode(octets);
      return octets.length <= limit && read.flag_tc === read.answers!.length < answers.length;
    }),
    { numRuns: 300 },
  );
  t.pass();
});
