import { execFileSync, spawnSync } from 'node:child_process';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { Address, Mac } from '../../../src/net/index.js';
import { Connection, NETLINK, type NetlinkDetail, nft } from '../../../src/netlink/index.js';
import { type SetForm, rulesText, tableForm } from '../../../src/netlink/nf/form.js';
import { observeTable } from '../../../src/netlink/nf/observe.js';
import { type TestNetns, testNetns, until } from '../../helpers/native.js';
import { cases } from '../../unit/netlink/nf/golden-cases.js';

const { accept, counter, drop, ether, ip, meta, rule, udp } = nft;

/** By its path: npm puts a tool of the same name, of one of AVA's dependencies, in front of it. */
const NFT = '/usr/sbin/nft';

interface NftHost {
  readonly netns: TestNetns;
  readonly conn: Connection;
  /** Runs nft inside; `input` is the file for `-f -`. */
  nft(args: string, input?: string): string;
}

async function testHost(t: ExecutionContext): Promise<NftHost> {
  const netns = await testNetns(t);
  netns.ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  const conn = await Connection.open({ netns: netns.path, protocol: NETLINK.NETFILTER });
  t.teardown(async () => conn.close());
  const run = (args: string, input = '') =>
    execFileSync('ip', ['netns', 'exec', netns.name, NFT, ...args.split(' ')], {
      encoding: 'utf8',
      input,
      stdio: 'pipe',
    });
  return { netns, conn, nft: run };
}

/** Whether a closed port of `to` answers, there and back, when we are inside and send from `from`. */
function isReached(netns: TestNetns, from: string, to: string): boolean {
  const code = `const socket = require('node:dgram').createSocket('udp4');
    socket.on('error', ({ code }) => process.exit(code === 'ECONNREFUSED' ? 0 : 2));
    socket.bind({ address: '${from}' }, () => socket.connect(9, '${to}', () => socket.send('?')));
    setTimeout(() => process.exit(1), 1500);`;
  const args = ['netns', 'exec', netns.name, process.execPath, '-e', code];
  const { status } = spawnSync('ip', args, { stdio: 'ignore' });
  if (status !== 0 && status !== 1) throw new Error(`the sender ended with ${status}`);
  return status === 0;
}

const vteps = cases.find((c) => c.name === 'vteps')!;

/** What nft prints, without what only the eye needs: space, quotes that are optional, names of priorities. */
function words(text: string): string[] {
  const plain = text
    .replaceAll(/priority (mangle|dstnat|filter)/g, 'priority')
    .replaceAll(/priority -?\d+/g, 'priority')
    .replaceAll(/counter packets \d+ bytes \d+/g, 'counter')
    .replaceAll(/[;"]/g, ' ');
  return plain.split(/\s+/).filter((word) => word !== '');
}

for (const c of cases) {
  test(`nft > ${c.name}: nft prints what we made as what it makes of its own text`, async (t) => {
    const [ours, theirs] = [await testHost(t), await testHost(t)];
    t.true(await nft.ensureTable(ours.conn, c.spec));
    theirs.nft('-f -', c.text);
    const printed = ours.nft('list ruleset');
    t.is(printed, theirs.nft('list ruleset'));
    t.true(printed.startsWith(`table ${c.spec.family} ${c.spec.name} {`));
  });

  test(`nft > ${c.name}: there is nothing to do on what nft made, nor on what we made`, async (t) => {
    const host = await testHost(t);
    host.nft('-f -', c.text);
    t.false(await nft.ensureTable(host.conn, c.spec));
    await nft.replaceTable(host.conn, c.spec);
    t.false(await nft.ensureTable(host.conn, c.spec));
  });
}

test('nft > the underlay table reads as a person would write it', async (t) => {
  const host = await testHost(t);
  await nft.ensureTable(host.conn, vteps.spec);
  t.deepEqual(words(host.nft('list ruleset')), words(vteps.text));
});

const foreign = [
  ['a flush of everything', 'flush ruleset'],
  ['a flush of a chain', 'flush chain inet weft input'],
  ['a rule of somebody else in front', 'insert rule inet weft input accept'],
  ['a rule with a set of its own', 'add rule inet weft input tcp dport { 1, 2 } accept'],
  ['a deleted element', 'delete element inet weft known_vteps_v4 { 192.0.2.1 }'],
  ['an element too many', 'add element inet weft known_vteps_v4 { 203.0.113.9 }'],
  ['another chain and a jump to it', 'add chain inet weft x ; add rule inet weft input jump x'],
  ['another set', 'add set inet weft x { type mark ; }'],
  ['another policy', 'add chain inet weft input { policy drop ; }'],
] as const;
for (const [what, command] of foreign) {
  test(`nft > ${what} is found and put right`, async (t) => {
    const host = await testHost(t);
    await nft.ensureTable(host.conn, vteps.spec);
    const right = host.nft('list ruleset');
    host.nft(command);
    t.not(host.nft('list ruleset'), right);
    t.true(await nft.ensureTable(host.conn, vteps.spec));
    t.is(host.nft('list ruleset'), right);
  });
}

test('nft > tables of others are neither read nor touched', async (t) => {
  const host = await testHost(t);
  host.nft('-f -', cases.find((c) => c.name === 'words')!.text);
  const before = host.nft('list table inet words');
  await nft.ensureTable(host.conn, vteps.spec);
  await nft.deleteTable(host.conn, vteps.spec);
  t.is(host.nft('list ruleset'), before);
});

test('nft > a table can be deleted twice', async (t) => {
  const host = await testHost(t);
  await nft.ensureTable(host.conn, vteps.spec);
  await nft.deleteTable(host.conn, vteps.spec);
  await nft.deleteTable(host.conn, vteps.spec);
  t.is(host.nft('list ruleset'), '');
});

test('nft > one rule that the kernel refuses, and nothing has changed', async (t) => {
  const host = await testHost(t);
  await nft.ensureTable(host.conn, vteps.spec);
  const before = host.nft('list ruleset');
  const [input] = vteps.spec.chains;
  const rules = [rule('fine', accept), rule('to nowhere', nft.jump('nowhere'))];
  const wrong = { ...vteps.spec, sets: [], chains: [{ ...input!, rules }] };
  const error = await t.throwsAsync<Error & { detail: NetlinkDetail }>(
    nft.ensureTable(host.conn, wrong),
    { code: 'ENOENT', message: /rule "to nowhere" of chain "input" of table inet weft/ },
  );
  t.like(error?.detail, { op: 'NFT_MSG_NEWRULE' });
  t.is(host.nft('list ruleset'), before);
});

test('nft > what did not change counts on', async (t) => {
  const host = await testHost(t);
  const chain = (name: string, ...rules: nft.RuleSpec[]): nft.ChainSpec => ({
    name,
    base: { type: 'filter', hook: 'output', priority: 0 },
    rules,
  });
  const counted = chain('a', rule(undefined, counter));
  const spec = (...chains: nft.ChainSpec[]): nft.TableSpec => ({
    family: 'inet',
    name: 'weft',
    chains,
  });
  await nft.ensureTable(host.conn, spec(counted, chain('b')));
  host.netns.ip('link', 'set', 'lo', 'up');
  t.true(isReached(host.netns, '127.0.0.1', '127.0.0.1'));
  t.true(await nft.ensureTable(host.conn, spec(counted, chain('b', rule(undefined, accept)))));
  t.regex(host.nft('list chain inet weft a'), /counter packets [1-9]/);
});

test('nft > elements come and go without a look at the rest', async (t) => {
  const host = await testHost(t);
  await nft.ensureTable(host.conn, vteps.spec);
  const set = vteps.spec.sets![0]!;
  const h3: nft.ElementSpec = { key: ['192.0.2.3'], comment: 'h3' };
  const list = () => host.nft('list set inet weft known_vteps_v4');
  const gone = set.elements!.slice(0, 1);
  await nft.changeElements(host.conn, vteps.spec, [{ set, add: [h3], delete: gone }]);
  t.regex(list(), /elements = \{ 192.0.2.2 comment "h2", 192.0.2.3 comment "h3" \}/);
  await nft.changeElements(host.conn, vteps.spec, [{ set, add: [h3] }]);
  await t.throwsAsync(nft.changeElements(host.conn, vteps.spec, [{ set, delete: gone }]), {
    code: 'ENOENT',
  });
});

test('nft > ten thousand elements go in and are found again', async (t) => {
  const host = await testHost(t);
  const elements = Array.from({ length: 10_000 }, (_, i) => ({
    key: ['v0', '02:00:00:00:00:01', `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`],
    comment: `endpoint ${i}`,
  }));
  const sets = [{ name: 's', type: ['ifname', 'ether_addr', 'ipv4_addr'] as const, elements }];
  const spec: nft.TableSpec = { family: 'bridge', name: 'weft', sets, chains: [] };
  t.true(await nft.ensureTable(host.conn, spec));
  t.false(await nft.ensureTable(host.conn, spec));
  const fewer = { ...spec, sets: [{ ...sets[0]!, elements: elements.slice(1) }] };
  t.true(await nft.ensureTable(host.conn, fewer));
  t.false(await nft.ensureTable(host.conn, fewer));
});

test('nft > a monitor hears who changes which table', async (t) => {
  const host = await testHost(t);
  const events: string[] = [];
  const monitor = await nft.openTableMonitor({
    netns: host.netns.path,
    onEvent: (e) => {
      if (e.type === 'overrun') return events.push(e.type);
      const who = e.by === host.conn.port ? 'we' : 'another';
      return events.push(`${who}: ${e.family} ${e.name}`);
    },
    onError: (error) => t.fail(error.message),
  });
  t.teardown(() => monitor.close());
  await nft.ensureTable(host.conn, vteps.spec);
  await until('our own change', () => events.includes('we: inet weft'));
  events.length = 0;
  host.nft('add table ip other');
  host.nft('flush ruleset');
  await until('the flush', () => events.includes('another: inet weft'));
  t.deepEqual(new Set(events), new Set(['another: ip other', 'another: inet weft']));
});

/** Tables that differ in every way that a plan knows. */
const anyTable = (): fc.Arbitrary<nft.TableSpec> => {
  const address = fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3');
  const comment = fc.option(fc.constantFrom('one', 'two'), { nil: undefined });
  const element = fc.record({ key: fc.tuple(address), comment });
  const elements = fc.uniqueArray(element, { selector: (e) => e.key[0], maxLength: 3 });
  const set = fc.record({
    name: fc.constantFrom('s1', 's2'),
    type: fc.constant(['ipv4_addr'] as const),
    comment,
    elements,
  });
  const verdict = fc.constantFrom<nft.Verdict>('accept', { jump: 'sub' });
  const entry = fc.record({ key: fc.tuple(address), verdict, comment });
  const entries = fc.uniqueArray(entry, { selector: (e) => e.key[0], maxLength: 3 });
  const priority = fc.constantFrom(-5, 5);
  const policy = fc.constantFrom('accept', 'drop');
  const hook = { type: 'filter', hook: 'input' } as const;
  const base = fc.option(
    fc.record({ priority, policy }).map((b) => ({ ...hook, ...b }) as const),
    { nil: undefined },
  );
  return fc
    .record({
      comment,
      sets: fc.uniqueArray(set, { selector: (s) => s.name }),
      entries,
      base,
      hasMap: fc.boolean(),
    })
    .chain(({ sets, entries: mapped, base: mainBase, hasMap, comment: said }) => {
      const map: nft.SetSpec = {
        name: 'map',
        type: ['ipv4_addr'],
        holds: 'verdicts',
        elements: mapped,
      };
      const asks = sets.map((s) => rule('in', ip.saddr.in(s.name), counter, nft.goto('sub')));
      if (hasMap) asks.push(rule(undefined, ip.daddr.verdictOf('map')));
      const some = fc.subarray([
        ...asks,
        rule('udp', udp.dport.is(53), drop),
        rule(undefined, nft.jump('sub')),
      ]);
      const sub = fc.subarray([rule('sub', accept), rule(undefined, meta.mark.is(3), drop)]);
      return fc.tuple(some, sub).map(([main, inSub]): nft.TableSpec => ({
        family: 'inet',
        name: 'weft',
        comment: said,
        sets: hasMap ? [...sets, map] : sets,
        chains: [
          { name: 'main', base: mainBase, rules: main },
          { name: 'sub', rules: inSub },
        ],
      }));
    });
};

const inOrder = (sets: ReadonlyMap<string, SetForm>) =>
  [...sets.values()]
    .map((set) => ({ ...set, elements: [...set.elements].sort(([a], [b]) => (a < b ? -1 : 1)) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

test('nft > any table becomes any other, and is then found to be it', async (t) => {
  const host = await testHost(t);
  await fc.assert(
    fc.asyncProperty(anyTable(), async (spec) => {
      await nft.ensureTable(host.conn, spec);
      const [desired, observed] = [tableForm(spec), await observeTable(host.conn, spec)];
      for (const [name, chain] of desired.chains) {
        t.is(rulesText(observed?.chains.get(name)?.rules ?? []), rulesText(chain.rules), name);
      }
      t.deepEqual(inOrder(observed?.sets ?? new Map()), inOrder(desired.sets));
      t.false(await nft.ensureTable(host.conn, spec));
    }),
    { numRuns: 60 },
  );
});

test('nft > a container on a bridge can send as itself and as nobody else', async (t) => {
  const host = await testHost(t);
  const container = await testNetns(t);
  const { netns } = host;
  const lines = [
    'link add br0 type bridge',
    `link set v1 netns ${container.name} name eth0`,
    'link set v0 master br0 up',
    'link set br0 up',
    'addr add 10.1.0.1/24 dev br0',
  ];
  for (const line of lines) netns.ip(...line.split(' '));
  const inside = (line: string) => container.ip(...line.split(' '));
  inside('link set eth0 address 02:00:00:00:00:01 up');
  inside('addr add 10.1.0.2/24 dev eth0');
  inside('addr add 10.1.0.9/24 dev eth0');
  await nft.ensureTable(host.conn, cases.find((c) => c.name === 'ports')!.spec);
  t.true(isReached(container, '10.1.0.2', '10.1.0.1'), 'its own address');
  t.false(isReached(container, '10.1.0.9', '10.1.0.1'), 'an address that is not its own');
  inside('link set eth0 address 02:00:00:00:00:77');
  t.false(isReached(container, '10.1.0.2', '10.1.0.1'), 'a mac that is not its own');
  const dropped = host.nft('list chain bridge weft from');
  t.regex(dropped, /counter packets [1-9]\d* bytes \d+ drop comment "a mac not its own"/);
  t.regex(dropped, /counter packets [1-9]\d* bytes \d+ comment "an address not its own"/);
});

test('nft > a set keyed by what no nft syntax says is kept as it is', async (t) => {
  const host = await testHost(t);
  const target = nft.concat(meta.iifname, ether.saddr, nft.icmpv6.target);
  const own = ['v0', '02:00:00:00:00:01' as Mac, 'fd00::2' as Address];
  const spec: nft.TableSpec = {
    family: 'bridge',
    name: 'weft',
    sets: [{ name: 'own', type: ['ifname', 'ether_addr', 'ipv6_addr'], elements: [{ key: own }] }],
    chains: [
      {
        name: 'from',
        base: { type: 'filter', hook: 'prerouting', priority: -300 },
        rules: [rule('not itself', nft.icmpv6.type.is(136), target.notIn('own'), drop)],
      },
    ],
  };
  t.true(await nft.ensureTable(host.conn, spec));
  t.false(await nft.ensureTable(host.conn, spec));
  t.regex(host.nft('list ruleset'), /nd-neighbor-advert .*!= @own drop comment "not itself"/);
});
