import test from 'ava';
import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { RCODE, TYPE, readReply, replyFor } from '../../../../src/dns/wire/index.js';
import { decode, queryOf } from '../query-of.js';

const query = queryOf('Www.example.com', 'A', { id: 7, edns: 1232 });
const questions = [{ name: 'Www.example.com', type: 'A', class: 'IN' }] as const;
const opt = { type: 'OPT', name: '.', udpPayloadSize: 1232, flags: 0 } as never;
const reply = dnsPacket.encode({
  type: 'response',
  id: 7,
  questions: [...questions],
  answers: [
    { name: 'Www.example.com', type: 'CNAME', ttl: 300, data: 'web.example.com' },
    { name: 'web.example.com', type: 'A', ttl: 20, data: '192.0.2.1' },
  ],
  authorities: [{ name: 'example.com', type: 'NS', ttl: 40, data: 'ns.example.com' }],
  additionals: [opt],
});

test('reply > is read as dns-packet wrote it, and OPT has no TTL', (t) => {
  const read = readReply(reply, query)!;
  t.is(read.rcode, RCODE.NOERROR);
  t.false(read.isTruncated);
  t.deepEqual(read.answers, [
    { type: 5, ttlSec: 300 },
    { type: TYPE.A, ttlSec: 20 },
  ]);
  t.deepEqual(
    read.ttls.map(({ sec }) => sec),
    [300, 20, 40],
  );
  t.is(read.soa, undefined);
});

test('reply > says for how long there is nothing, and whether that is the root’s word', (t) => {
  for (const name of ['example.com', '.']) {
    const data = { mname: 'a', rname: 'b', serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 9 };
    const none = dnsPacket.encode({
      type: 'response',
      flags: RCODE.NXDOMAIN,
      questions: [...questions],
      authorities: [{ name, type: 'SOA', ttl: 60, data }],
    });
    const read = readReply(none, query);
    t.is(read?.rcode, RCODE.NXDOMAIN);
    t.deepEqual(read?.soa, { isRoot: name === '.', minimumSec: 9 });
  }
});

test('reply > for another asker has its id and its spelling', (t) => {
  const other = queryOf('wWW.EXAMPLE.com', 'A', { id: 12 });
  const read = decode(replyFor(other, reply));
  t.is(read.id, 12);
  t.is(read.questions?.[0]?.name, 'wWW.EXAMPLE.com');
  t.is(read.answers?.length, 2);
});

test('reply > cut short anywhere or spoilt, it is no reply or another one, and never an error', (t) => {
  const header = query.questionEnd;
  for (let length = header; length < reply.length; length += 1) {
    t.is(readReply(reply.subarray(0, length), query), undefined, String(length));
  }
  const spoilt = fc.array(fc.tuple(fc.integer({ min: 6, max: reply.length - 1 }), fc.nat(255)));
  fc.assert(
    fc.property(spoilt, (changes) => {
      const octets = Buffer.from(reply);
      for (const [at, octet] of changes) octets[at] = octet;
      for (const { at } of readReply(octets, query)?.ttls ?? []) {
        if (at + 4 > octets.length) return false;
      }
      return true;
    }),
    { numRuns: 1000 },
  );
});
