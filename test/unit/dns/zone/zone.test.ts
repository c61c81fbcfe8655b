import test from 'ava';
import fc from 'fast-check';
import { TYPE, type Reply } from '../../../../src/dns/wire/index.js';
import { type NamedEndpoint, type Share, Zone } from '../../../../src/dns/zone/index.js';
import { type Address, parseAddress } from '../../../../src/net/index.js';

const WEB = { id: '000000000001', name: 'Web' };
const BACK = { id: '000000000002', name: 'back' };

const options = { ttlSec: 5, localFirst: false };

function endpoint(name: string, address: string, more: Partial<NamedEndpoint> = {}): NamedEndpoint {
  const addresses = address.split(' ').map(parseAddress);
  return {
    id: `${name}-${address}`,
    names: [name],
    addresses,
    services: [],
    isHealthy: true,
    ...more,
  };
}

function share(network: Share['network'], host: string, ...endpoints: NamedEndpoint[]): Share {
  return { network, host, isLocal: host === 'h1', isAlive: true, endpoints };
}

/** One line an answer's records, or its code when it has none; '-' for what is not ours. */
function lines(reply: Reply | undefined): string {
  if (reply === undefined) return '-';
  if (reply.answers.length === 0) return reply.rcode === 3 ? 'NXDOMAIN' : 'NODATA';
  return reply.answers
    .map((record) => {
      if (record.type === TYPE.A || record.type === TYPE.AAAA) return record.address;
      if (record.type === TYPE.SRV) return `${record.port} ${record.target}`;
      return record.type === TYPE.PTR ? record.target : 'SOA';
    })
    .toSorted()
    .join(' ');
}

const ask = (
  zone: Zone,
  name: string,
  type: keyof typeof TYPE = 'A',
  networks = [WEB.id],
): string => lines(zone.answer({ name, type: TYPE[type] }, networks));

function example(): Zone {
  const zone = new Zone(options);
  const services = [
    { label: '80', protocol: 'tcp', port: 80 },
    { label: 'metrics', protocol: 'tcp', port: 9100 },
  ];
  const names = ['API', 'alias', '0123456789ab'];
  zone.setShare(share(WEB, 'h1', endpoint('API', '10.0.0.1 fd00::1', { names, services })));
  zone.setShare(share(WEB, 'h2', endpoint('db', '10.0.0.2'), endpoint('my.app', '10.0.0.3')));
  zone.setShare(share(BACK, 'h2', endpoint('hidden', '10.1.0.1'), endpoint('api', '10.1.0.2')));
  zone.setHosts([{ id: 'h2', name: 'H2.example', address: parseAddress('192.168.0.2') }]);
  return zone;
}

const cases: readonly (readonly [name: string, type: keyof typeof TYPE, answer: string])[] = [
  ['api', 'A', '10.0.0.1'],
  ['api', 'AAAA', 'fd00::1'],
  ['api', 'ANY', '10.0.0.1 fd00::1'],
  ['api', 'NS', 'NODATA'],
  ['api', 'SRV', 'NODATA'],
  ['alias', 'A', '10.0.0.1'],
  ['0123456789ab', 'A', '10.0.0.1'],
  ['db', 'AAAA', 'NODATA'],
  ['my.app', 'A', '10.0.0.3'],
  ['hidden', 'A', '-'],
  ['hidden.back', 'A', '-'],
  ['db.web', 'A', '10.0.0.2'],
  ['db.web.weft', 'A', '10.0.0.2'],
  ['my.app.web.weft', 'A', '10.0.0.3'],
  ['db.weft', 'A', '10.0.0.2'],
  ['h2.example.host.weft', 'A', '192.168.0.2'],
  ['h2.example.host.weft', 'AAAA', 'NODATA'],
  ['hidden.back.weft', 'A', 'NXDOMAIN'],
  ['nobody.weft', 'A', 'NXDOMAIN'],
  ['nobody.host.weft', 'A', 'NXDOMAIN'],
  ['web.weft', 'A', 'NODATA'],
  ['back.weft', 'A', 'NXDOMAIN'],
  ['host.weft', 'A', 'NODATA'],
  ['weft', 'A', 'NODATA'],
  ['weft', 'SOA', 'SOA'],
  ['notweft', 'A', '-'],
  ['example.com', 'A', '-'],
  ['', 'NS', '-'],
  ['1.0.0.10.in-addr.arpa', 'PTR', 'API.web.weft'],
  ['1.0.0.10.in-addr.arpa', 'A', 'NODATA'],
  [`1.${'0.'.repeat(29)}d.f.ip6.arpa`, 'PTR', 'API.web.weft'],
  ['1.0.1.10.in-addr.arpa', 'PTR', '-'],
  ['1.0.0.010.in-addr.arpa', 'PTR', '-'],
  ['0.0.10.in-addr.arpa', 'PTR', '-'],
  ['_80._tcp.api', 'SRV', '80 API.web.weft'],
  ['_metrics._tcp.api.web.weft', 'SRV', '9100 API.web.weft'],
  ['_80._udp.api', 'SRV', 'NXDOMAIN'],
  ['_80._tcp.api', 'A', 'NODATA'],
  ['_80._tcp.nobody', 'SRV', '-'],
  ['_80._tcp.nobody.weft', 'SRV', 'NXDOMAIN'],
  ['_ldap._tcp.example.com', 'SRV', '-'],
  ['app.web.weft', 'A', 'NODATA'],
  ['app.weft', 'A', 'NODATA'],
  ['app', 'A', '-'],
  ['pp.web.weft', 'A', 'NXDOMAIN'],
  ['example.host.weft', 'A', 'NODATA'],
  ['_tcp.api', 'A', 'NODATA'],
  ['_tcp.api.web.weft', 'SRV', 'NODATA'],
  ['_udp.api.web.weft', 'SRV', 'NXDOMAIN'],
  ['_tcp.db', 'SRV', '-'],
];
for (const [name, type, answer] of cases) {
  test(`zone > ${name || '(the root)'} ${type} is ${answer}`, (t) => {
    t.is(ask(example(), name, type), answer);
  });
}

test('zone > an SRV answer brings the addresses along', (t) => {
  const reply = example().answer({ name: '_80._tcp.api', type: TYPE.SRV }, [WEB.id]);
  t.deepEqual(
    reply?.additional.map((record) => [record.owner, 'address' in record && record.address]),
    [
      ['API.web.weft', '10.0.0.1'],
      ['API.web.weft', 'fd00::1'],
    ],
  );
});

test('zone > a name on two of the asker’s networks is taken from the first, as Docker does it', (t) => {
  t.is(ask(example(), 'api', 'A', [WEB.id, BACK.id]), '10.0.0.1');
  t.is(ask(example(), 'api', 'A', [BACK.id, WEB.id]), '10.1.0.2');
  t.is(ask(example(), 'api.back', 'A', [WEB.id, BACK.id]), '10.1.0.2');
});

test('zone > who is on no network of ours sees nothing but that there is nothing', (t) => {
  t.is(ask(example(), 'api', 'A', []), '-');
  t.is(ask(example(), 'api.web.weft', 'A', []), 'NXDOMAIN');
});

test('zone > several with one name are all answered, each first in turn', (t) => {
  const zone = new Zone(options);
  zone.setShare(share(WEB, 'h1', endpoint('api', '10.0.0.1'), endpoint('api', '10.0.0.2')));
  zone.setShare(share(WEB, 'h2', endpoint('api', '10.0.0.3')));
  const firsts = new Map<Address, number>();
  for (let i = 0; i < 300; i += 1) {
    const { answers } = zone.answer({ name: 'api', type: TYPE.A }, [WEB.id])!;
    t.is(answers.length, 3);
    const [first] = answers;
    if (first && 'address' in first)
      firsts.set(first.address, (firsts.get(first.address) ?? 0) + 1);
  }
  t.deepEqual([...firsts.values()], [100, 100, 100]);
});

test('zone > who asks for both families of two names in turn is told another first each time, of each', (t) => {
  const zone = new Zone(options);
  for (const name of ['api', 'db']) {
    zone.setShare(
      share(WEB, name, endpoint(name, `10.0.0.${name.length}`), endpoint(name, '10.0.0.9')),
    );
  }
  const firsts = new Map<string, string[]>();
  for (let i = 0; i < 4; i += 1) {
    for (const name of ['api', 'db']) {
      const [first] = zone.answer({ name, type: TYPE.A }, [WEB.id])!.answers;
      zone.answer({ name, type: TYPE.AAAA }, [WEB.id]);
      const address = first && 'address' in first ? first.address : '';
      firsts.set(name, [...(firsts.get(name) ?? []), address]);
    }
  }
  for (const [name, [a, b, c, d]] of firsts) {
    t.not(a, b, name);
    t.deepEqual([a, b], [c, d]);
  }
});

test('zone > who asks for A and AAAA together gets each first in turn, of both', (t) => {
  const zone = new Zone(options);
  const two = [endpoint('api', '10.0.0.1 fd00::1'), endpoint('api', '10.0.0.2 fd00::2')];
  zone.setShare(share(WEB, 'h1', ...two));
  const firsts = { A: new Set<string>(), AAAA: new Set<string>() };
  for (let i = 0; i < 4; i += 1) {
    for (const type of ['A', 'AAAA'] as const) {
      const [first] = zone.answer({ name: 'api', type: TYPE[type] }, [WEB.id])!.answers;
      if (first && 'address' in first) firsts[type].add(first.address);
    }
  }
  t.deepEqual([firsts.A.size, firsts.AAAA.size], [2, 2]);
});

test('zone > what was above a name goes with the last name below it', (t) => {
  const zone = new Zone(options);
  zone.setShare(share(WEB, 'h1', endpoint('a.app', '10.0.0.1'), endpoint('b.app', '10.0.0.2')));
  zone.setShare(share(WEB, 'h1', endpoint('a.app', '10.0.0.1')));
  t.is(ask(zone, 'app.web.weft'), 'NODATA');
  zone.setShare(share(WEB, 'h1', endpoint('other', '10.0.0.1')));
  t.is(ask(zone, 'app.web.weft'), 'NXDOMAIN');
});

test('zone > those on the asker’s host come first when that is wanted', (t) => {
  const zone = new Zone({ ...options, localFirst: true });
  zone.setShare(share(WEB, 'h2', endpoint('api', '10.0.0.3'), endpoint('api', '10.0.0.4')));
  zone.setShare(share(WEB, 'h1', endpoint('api', '10.0.0.1')));
  for (let i = 0; i < 5; i += 1) {
    const { answers } = zone.answer({ name: 'api', type: TYPE.A }, [WEB.id])!;
    t.like(answers[0], { address: '10.0.0.1' as Address });
  }
});

test('zone > who is ill or on a dead host is left out, unless nobody else is left', (t) => {
  const zone = new Zone(options);
  const ill = { isHealthy: false };
  zone.setShare(share(WEB, 'h1', endpoint('api', '10.0.0.1'), endpoint('api', '10.0.0.2', ill)));
  zone.setShare({ ...share(WEB, 'h2', endpoint('api', '10.0.0.3')), isAlive: false });
  t.is(ask(zone, 'api'), '10.0.0.1');
  zone.setShare(share(WEB, 'h1', endpoint('api', '10.0.0.2', ill)));
  t.is(ask(zone, 'api'), '10.0.0.2', 'ill but there, rather than gone');
  zone.deleteShare(WEB.id, 'h1');
  t.is(ask(zone, 'api'), '10.0.0.3');
});

test('zone > names that DNS can not carry are left out, and PTR takes one that it can', (t) => {
  const zone = new Zone(options);
  zone.setShare(share(WEB, 'h1', endpoint('a..b', '10.0.0.1', { names: ['a..b', 'fine'] })));
  t.is(ask(zone, 'a..b'), '-');
  t.is(ask(zone, 'fine'), '10.0.0.1');
  t.is(ask(zone, '1.0.0.10.in-addr.arpa', 'PTR'), 'fine.web.weft');
});

test('zone > any order of changes ends with what was said last', (t) => {
  const name = fc.constantFrom('a', 'b', 'c');
  const one = fc.record({
    id: fc.constantFrom('1', '2', '3'),
    name,
    last: fc.integer({ min: 1, max: 9 }),
  });
  const host = fc.constantFrom('h1', 'h2');
  const change = fc.record({
    host,
    endpoints: fc.option(fc.array(one, { maxLength: 4 })),
    isPart: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      const zone = new Zone(options);
      const last = new Map<string, Share>();
      for (const { host: at, endpoints, isPart } of changes) {
        const said = (endpoints ?? []).map((e) =>
          endpoint(e.name, `10.0.0.${e.last}`, { id: e.id }),
        );
        const unique = [...new Map(said.toReversed().map((e) => [e.id, e])).values()];
        if (endpoints === null) zone.deleteShare(WEB.id, at);
        else if (isPart) {
          const before = last.get(at)?.endpoints ?? [];
          const gone = before.map(({ id }) => id).filter((id) => !said.some((e) => e.id === id));
          zone.changeShare(share(WEB, at, ...said), gone);
        } else zone.setShare(share(WEB, at, ...said));
        last.set(at, share(WEB, at, ...unique));
      }
      for (const asked of ['a', 'b', 'c']) {
        const wanted = [...last.values()]
          .flatMap(({ endpoints }) => endpoints)
          .filter(({ names }) => names.includes(asked))
          .flatMap(({ addresses }) => addresses);
        const reply = zone.answer({ name: asked, type: TYPE.A }, [WEB.id]);
        const got = (reply?.answers ?? []).map((r) => ('address' in r ? r.address : ''));
        t.deepEqual(got.toSorted(), wanted.toSorted());
      }
    }),
    { numRuns: 200 },
  );
});
