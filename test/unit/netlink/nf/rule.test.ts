import test from 'ava';
import type { Address, Mac, Prefix } from '../../../../src/net/index.js';
import { nft } from '../../../../src/netlink/index.js';
import { type Expression, fingerprint } from '../../../../src/netlink/nf/expression.js';
import { compile } from '../../../../src/netlink/nf/rule.js';

const address = (text: string) => text as Address;
const { accept, arp, ctState, ether, icmp, icmpv6, ip, ip6, meta, tcp, udp } = nft;

const octets = (value: Uint8Array | undefined) => Buffer.from(value ?? []).toString('hex');

/** What is loaded and compared, in few words. */
function inShort(e: Expression): string {
  if (e.kind === 'meta') return `meta ${e.data?.key}`;
  if (e.kind === 'payload') return `payload ${e.data?.base}+${e.data?.offset}/${e.data?.length}`;
  if (e.kind === 'bitwise') return `& ${octets(e.data?.mask?.value)}`;
  if (e.kind !== 'cmp') return e.kind;
  return `${e.data?.op === 0 ? '==' : '!='} ${octets(e.data?.data?.value)}`;
}

const needs: readonly { family: nft.NfFamily; statement: nft.Statement; tests: string[] }[] = [
  { family: 'inet', statement: nft.isA('ip'), tests: ['meta 15', '== 02'] },
  { family: 'inet', statement: nft.isA('ip6'), tests: ['meta 15', '== 0a'] },
  { family: 'bridge', statement: nft.isA('ip'), tests: ['meta 1', '== 0800'] },
  { family: 'netdev', statement: nft.isA('arp'), tests: ['meta 1', '== 0806'] },
  { family: 'ip', statement: nft.isA('ip'), tests: [] },
  { family: 'ip6', statement: nft.isA('udp'), tests: ['meta 16', '== 11'] },
  { family: 'bridge', statement: nft.isA('ether'), tests: [] },
  { family: 'netdev', statement: nft.isA('ether'), tests: ['meta 8', '== 0100'] },
  {
    family: 'bridge',
    statement: nft.isA('icmpv6'),
    tests: ['meta 1', '== 86dd', 'meta 16', '== 3a'],
  },
  { family: 'inet', statement: nft.isA('icmp'), tests: ['meta 15', '== 02', 'meta 16', '== 01'] },
];
for (const { family, statement, tests } of needs) {
  test(`rule > in ${family}, ${statement.needs.join()} is tested as ${tests.join() || 'nothing'}`, (t) => {
    t.deepEqual(compile(family, [statement]).map(inShort), tests);
  });
}

test('rule > what several statements need is tested once', (t) => {
  const statements = [udp.sport.is(68), udp.dport.is(67), ip.saddr.is(address('10.0.0.1')), accept];
  const transport = ['meta 16', '== 11', 'payload 2+0/2', '== 0044', 'payload 2+2/2', '== 0043'];
  const network = ['meta 15', '== 02', 'payload 1+12/4', '== 0a000001'];
  const expected = [...transport, ...network, 'immediate'];
  t.deepEqual(compile('inet', statements).map(inShort), expected);
});

test('rule > what no packet is, or no packet of the family, is refused', (t) => {
  const cases: readonly [nft.NfFamily, ...nft.Statement[]][] = [
    ['inet', nft.isA('ip'), nft.isA('ip6')],
    ['bridge', arp.operation.is(1), ip.saddr.is(address('10.0.0.1'))],
    ['inet', tcp.dport.is(1), udp.dport.is(1)],
    ['inet', icmp.type.is(8), icmpv6.type.is(128)],
    ['inet', arp.operation.is(1)],
    ['ip', nft.isA('ip6')],
    ['ip6', icmp.type.is(8)],
  ];
  for (const [family, ...statements] of cases) {
    const what = `${family} ${statements.flatMap((s) => s.needs).join()}`;
    t.throws(() => compile(family, statements), { code: 'UNENCODABLE' }, what);
  }
});

const prefixes = [
  ['10.0.0.0/8', 'ff000000', '0a000000'],
  ['172.16.0.0/12', 'fff00000', 'ac100000'],
  ['10.1.2.3/32', 'ffffffff', '0a010203'],
  ['0.0.0.0/0', '00000000', '00000000'],
  ['fe80::/10', `ffc0${'00'.repeat(14)}`, `fe80${'00'.repeat(14)}`],
] as const;
for (const [prefix, mask, base] of prefixes) {
  test(`rule > ${prefix} is a mask and a comparison`, (t) => {
    const field = prefix.includes(':') ? ip6.daddr : ip.daddr;
    const within = field.within(prefix as Prefix).expressions.map(inShort);
    t.deepEqual(within.slice(1), [`& ${mask}`, `== ${base}`]);
    const outside = field.notWithin(prefix as Prefix).expressions.map(inShort);
    t.deepEqual(outside.slice(1), [`& ${mask}`, `!= ${base}`]);
  });
}

test('rule > values lie in registers as the kernel loads them', (t) => {
  const cases: readonly [nft.Statement, string][] = [
    [meta.iifname.is('br0'), '6272300000000000'.padEnd(32, '0')],
    [meta.mark.is(1), '01000000'],
    [meta.protocol.is(0x86dd), '86dd'],
    [ether.saddr.is('02:42:00:00:00:01' as Mac), '024200000001'],
    [ip6.saddr.is(address('::1')), '1'.padStart(32, '0')],
  ];
  for (const [statement, expected] of cases) {
    t.is(inShort(statement.expressions.at(-1)!), `== ${expected}`, expected);
  }
});

test('rule > a concatenation lies in one register after the other, each at a multiple of four octets', (t) => {
  const { expressions } = nft.concat(meta.iifname, ether.saddr, ip.saddr, udp.dport).in('set');
  const registers = expressions.map((e) => (e.data as { dreg?: number }).dreg);
  // NFT_REG_1, NFT_REG_2, NFT_REG32_06, NFT_REG32_07
  t.deepEqual(registers, [1, 2, 14, 15, undefined]);
  const { saddr, daddr } = ip6;
  t.throws(() => nft.concat(saddr, daddr, saddr, daddr, saddr), { code: 'UNENCODABLE' });
});

test('rule > values that do not fit their field are refused', (t) => {
  t.throws(() => ip.saddr.is(address('::1')), { code: 'UNENCODABLE' });
  t.throws(() => meta.iifname.is('a-name-far-too-long'), { code: 'UNENCODABLE' });
  t.throws(() => udp.dport.is(65_536));
});

test('rule > expressions that do the same have one fingerprint, others another', (t) => {
  const print = (kind: string, data: object) => fingerprint({ kind, data } as Expression);
  const same: readonly [string, object, object][] = [
    ['counter', {}, { packets: 3n, octets: 180n }],
    ['lookup', { sreg: 1, set: 'a', setId: 4, flags: undefined }, { set: 'a', sreg: 1, flags: 0 }],
    ['bitwise', { sreg: 1 }, { sreg: 1, op: 0 }],
    ['log', { prefix: 'a' }, { prefix: 'a', level: 4, snapLength: 0, queueThreshold: 0 }],
    ['nat', { addressMin: 1, flags: 2 }, { addressMin: 1, addressMax: 1, flags: 3 }],
    ['reject', { type: 1, code: 0 }, { type: 1 }],
    ['cmp', { data: { value: Buffer.of(1) } }, { data: { value: Uint8Array.of(1) } }],
    ['limit', { rate: 1n }, { rate: 1n, flags: 0 }],
  ];
  for (const [kind, a, b] of same) t.is(print(kind, a), print(kind, b), kind);
  t.not(print('lookup', { set: 'a' }), print('lookup', { set: 'a', flags: 1 }));
  t.not(
    print('cmp', { data: { value: Buffer.of(1) } }),
    print('cmp', { data: { value: Buffer.of(2) } }),
  );
  t.not(print('nat', { flags: 3 }), print('nat', { flags: 4 }));
  const unknown = (...data: number[]) =>
    fingerprint({ kind: 'other', name: 'quota', data: Uint8Array.from(data) });
  t.not(unknown(1), unknown(2));
  t.is(unknown(1), unknown(1));
});

test('rule > states of a connection are one mask', (t) => {
  t.deepEqual(ctState('new', 'untracked').expressions.map(inShort), [
    'ct',
    '& 48000000',
    '!= 00000000',
  ]);
});
