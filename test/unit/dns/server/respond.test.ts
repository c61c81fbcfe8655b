import test from 'ava';
import dnsPacket from 'dns-packet';
import fc from 'fast-check';
import { failure, respond, respondToHost } from '../../../../src/dns/server/respond.js';
import { type ZoneOptions, type Share, Zone } from '../../../../src/dns/zone/index.js';
import { parseAddress } from '../../../../src/net/index.js';
import { decode, queryOctets, queryOf, rcodeOf } from '../query-of.js';

const WEB = '000000000001';
const options: ZoneOptions = { ttlSec: 5, localFirst: false };

function zoneOf(...names: readonly string[]): Zone {
  const zone = new Zone(options);
  const endpoints = names.map((name, i): Share['endpoints'][number] => {
    const addresses = [parseAddress(`10.0.0.${i + 1}`)];
    return { id: `${i}`, names: [name], addresses, services: [], isHealthy: true };
  });
  const network = { id: WEB, name: 'web' };
  zone.setShare({ network, host: 'h1', isLocal: true, isAlive: true, endpoints });
  return zone;
}

function replyTo(octets: Uint8Array, zone = zoneOf('api')): Uint8Array | undefined {
  const response = respond(octets, zone, [WEB], 'udp');
  return response && 'reply' in response ? response.reply : undefined;
}

test('respond > answers a name of ours', (t) => {
  const read = decode(replyTo(queryOctets('API', 'A'))!);
  t.like(read.answers, [{ name: 'API', data: '10.0.0.1' }]);
  t.true(read.flag_aa);
});

test('respond > what does not exist in our domain is said so, with an SOA that says for how long', (t) => {
  const read = decode(replyTo(queryOctets('nobody.weft', 'A'))!);
  t.is(rcodeOf(read), 'NXDOMAIN');
  t.like(read.authorities, [{ name: 'weft', type: 'SOA', data: { minimum: 5 } }]);
});

test('respond > everything else is forwarded as it came', (t) => {
  for (const [name, type] of [
    ['example.com', 'A'],
    ['example.com', 'TXT'],
    ['.', 'NS'],
  ] as const) {
    const octets = queryOctets(name, type);
    const response = respond(octets, zoneOf('api'), [WEB], 'udp');
    t.true(response !== undefined && 'forward' in response, name);
    if (response && 'forward' in response) t.is(response.forward.message, octets);
  }
});

test('respond > another class than IN is none of ours', (t) => {
  const octets = dnsPacket.encode({
    type: 'query',
    id: 1,
    questions: [{ name: 'api', type: 'A', class: 'CH' }],
  });
  t.is(replyTo(octets), undefined);
});

test('respond > a version of EDNS that does not exist yet is refused', (t) => {
  const octets = Uint8Array.from(queryOctets('api', 'A', { edns: 1232 }));
  octets[octets.length - 5] = 1;
  t.like(decode(replyTo(octets)!).additionals, [{ type: 'OPT', extendedRcode: 1 }]);
});

for (const [name, type, said] of [
  ['api.web.weft', 'A', '10.0.0.1'],
  ['api.weft', 'A', '10.0.0.1'],
  ['nobody.weft', 'A', 'NXDOMAIN'],
  ['1.0.0.10.in-addr.arpa', 'PTR', 'api.web.weft'],
  ['9.9.9.10.in-addr.arpa', 'PTR', 'REFUSED'],
  ['api', 'A', 'REFUSED'],
  ['api.web', 'A', 'REFUSED'],
  ['www.example.com', 'A', 'REFUSED'],
  ['.', 'NS', 'REFUSED'],
] as const) {
  test(`respond > the host is told of ${name}: ${said}`, (t) => {
    const read = decode(respondToHost(queryOctets(name, type), zoneOf('api'), 'udp')!);
    const [answer] = read.answers ?? [];
    t.is<unknown, unknown>(answer && 'data' in answer ? answer.data : rcodeOf(read), said);
  });
}

test('respond > the host is told what is wrong with a query, and nothing about what is none', (t) => {
  const answer = queryOctets('api.weft', 'A').map((octet, i) => (i === 2 ? octet | 0x80 : octet));
  t.is(respondToHost(answer, zoneOf('api'), 'udp'), undefined);
  const cut = queryOctets('api.weft', 'A').subarray(0, 15);
  t.is(respondToHost(cut, zoneOf('api'), 'udp')![3]! & 15, 1);
});

test('respond > a failure keeps the question and says SERVFAIL', (t) => {
  const read = decode(failure(queryOf('Example.com', 'A')));
  t.is(rcodeOf(read), 'SERVFAIL');
  t.is(read.questions?.[0]?.name, 'Example.com');
});

test('respond > whatever comes, an answer is never more than 512 octets without EDNS', (t) => {
  const zone = zoneOf(...Array.from({ length: 200 }, () => 'api'));
  const good = Buffer.from(queryOctets('api', 'A'));
  const spoilt = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 3 });
  fc.assert(
    fc.property(spoilt, (changes) => {
      const octets = Buffer.from(good);
      for (const [at, octet] of changes) octets[at] = octet;
      return (replyTo(octets, zone)?.length ?? 0) <= 512;
    }),
    { numRuns: 1000 },
  );
  t.is(replyTo(good, zone)!.length <= 512, true);
});
