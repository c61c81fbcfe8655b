/** A network's own rules in its namespace: whatever they are, they are there when asked for, and stay. */
import test from 'ava';
import { nft } from '../../src/netlink/index.js';
import type { NetworkRules } from '../../src/vxlan/index.js';
import { NETWORK, VxlanLab, endpoint, run, spec, until } from '../helpers/vxlan-lab.js';

const table = { family: 'inet', name: 'weft-policy' } as const;

/** Everything passes but UDP. */
const noUdp: NetworkRules = {
  table,
  spec: {
    ...table,
    chains: [
      {
        name: 'forward',
        base: { type: 'filter', hook: 'forward', priority: 0, policy: 'accept' },
        rules: [nft.rule('no UDP', nft.meta.l4proto.is(17), nft.counter, nft.drop)],
      },
    ],
  },
};
const none: NetworkRules = { table, spec: undefined };

async function twoContainers(lab: VxlanLab) {
  const [host] = lab.hosts as [VxlanLab['hosts'][number]];
  await host.datapath.ensureNetwork(spec());
  const one = await lab.attach(host, endpoint(1));
  await lab.attach(host, endpoint(2));
  const passes = async (): Promise<boolean> => (await one.udp('10.0.0.2')) !== undefined;
  const tables = (): string => run(host.network(), '/usr/sbin/nft', 'list', 'tables');
  const flags = (): string => {
    const text = run(host.network(), 'ip', '-d', 'link', 'show', 'br0');
    return (/nf_call_iptables \d nf_call_ip6tables \d/.exec(text) ?? [''])[0];
  };
  return { host, one, passes, tables, flags };
}

const ON = 'nf_call_iptables 1 nf_call_ip6tables 1';
const OFF = 'nf_call_iptables 0 nf_call_ip6tables 0';

test('rules > hold from the call on, and are gone when there are none', async (t) => {
  await using lab = await VxlanLab.create();
  const { host, one, passes, tables, flags } = await twoContainers(lab);
  t.true(await passes());
  t.is(flags(), OFF, 'a network without rules pays nothing');
  await host.datapath.setRules(NETWORK, noUdp);
  t.false(await passes());
  t.is((await one.tcp('10.0.0.2')) !== undefined, true, 'TCP is not theirs');
  t.is(flags(), ON);
  await host.datapath.setRules(NETWORK, none);
  t.true(await passes());
  t.is(flags(), OFF);
  t.notRegex(tables(), /weft-policy/);
});

test('rules > that somebody deletes, flushes or switches off come back', async (t) => {
  await using lab = await VxlanLab.create();
  const { host, passes } = await twoContainers(lab);
  await host.datapath.setRules(NETWORK, noUdp);
  const state = (): string =>
    run(host.network(), '/usr/sbin/nft', '-s', 'list', 'ruleset') +
    run(host.network(), 'ip', '-d', 'link', 'show', 'br0').replace(/gc_timer +\S+/, '');
  const right = state();
  for (const command of [
    '/usr/sbin/nft delete table inet weft-policy',
    '/usr/sbin/nft flush chain inet weft-policy forward',
    '/usr/sbin/nft flush ruleset',
    '/usr/sbin/nft insert rule inet weft-policy forward accept',
    'ip link set br0 type bridge nf_call_iptables 0',
    'ip link set br0 type bridge nf_call_ip6tables 0',
  ]) {
    run(host.network(), ...command.split(' '));
    const start = performance.now();
    await until(`all is as before ${command}`, () => state() === right);
    t.log(`${command}: back after ${Math.round(performance.now() - start)} ms`);
    t.false(await passes(), command);
  }
});

test('rules > outlive the daemon, and are its successor’s once it says so', async (t) => {
  await using lab = await VxlanLab.create();
  const { host, passes, flags } = await twoContainers(lab);
  await host.datapath.setRules(NETWORK, noUdp);
  await host.datapath.close();
  t.false(await passes());
  await using after = await host.open();
  await after.ensureNetwork(spec());
  await after.ensureEndpoint(NETWORK, endpoint(1));
  await after.ensureEndpoint(NETWORK, endpoint(2));
  await after.setRemote(NETWORK, { peers: [], vteps: [] });
  await after.reconcile({ prune: true });
  t.false(await passes(), 'nobody has said yet what they are now');
  t.is(flags(), ON);
  await after.setRules(NETWORK, none);
  t.true(await passes());
});

test('rules > nothing passes where bridged packets would not be shown to them', async (t) => {
  await using lab = await VxlanLab.create();
  const { realKernel } = await import('../../src/vxlan/kernel.js');
  const [host] = lab.hosts as [VxlanLab['hosts'][number]];
  await host.datapath.close();
  // A kernel without br_netfilter has no such files.
  const kernel: typeof realKernel = {
    ...realKernel,
    writeInNetns: async () => {
      throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    },
  };
  await using datapath = await host.open({ kernel });
  const blind = { ...host, datapath };
  await datapath.ensureNetwork(spec());
  const one = await lab.attach(blind, endpoint(1));
  await lab.attach(blind, endpoint(2));
  t.not(await one.udp('10.0.0.2'), undefined);
  await t.throwsAsync(datapath.setRules(NETWORK, noUdp), { message: /modprobe br_netfilter/ });
  t.is(await one.udp('10.0.0.2'), undefined);
  t.is(await one.tcp('10.0.0.2', { timeout: 0.5 }), undefined);
  await datapath.setRules(NETWORK, none);
  t.not(await one.udp('10.0.0.2'), undefined);
});
