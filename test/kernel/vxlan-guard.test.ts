/** What the table in the host's namespace does to tunnels; who may not send is in vxlan-restart.test.ts. */
import test from 'ava';
import { VxlanLab, endpoint, run, spec, until } from '../helpers/vxlan-lab.js';

/** A host with connection tracking, as Docker's rules make it one, that counts what its tunnels look like. */
const probe = `table inet probe {
  chain in { type filter hook input priority 0
    udp dport 4789 ct state untracked counter
    udp dport 4789 ct state new,established,related,invalid counter
  }
  chain out { type filter hook output priority 0
    udp dport 4789 ct state untracked counter
    udp dport 4789 ct state new,established,related,invalid counter
  }
}`;

for (const underlay of [4, 6] as const) {
  test(`datapath > connection tracking of a host passes over its tunnels, on an IPv${underlay} underlay`, async (t) => {
    await using lab = await VxlanLab.create({ hosts: 2, underlay });
    const [a, b] = lab.hosts;
    for (const host of lab.hosts) await host.datapath.ensureNetwork(spec({ mtu: 1430 }));
    const one = await lab.attach(a!, endpoint(1));
    await lab.attach(b!, endpoint(2));
    await lab.tellAll([[endpoint(1)], [endpoint(2)]]);
    for (const [host, other] of [[a!, b!] as const, [b!, a!] as const]) {
      await host.datapath.setKnownVteps([a!.vtep, b!.vtep]);
      const table = (): string => run(host.netns, 'nft', 'list', 'ruleset');
      await until('the table knows the other host', () => table().includes(other.vtep));
      run(host.netns, 'nft', probe);
    }
    t.is(await one.udp('10.0.0.2'), 100);
    for (const host of lab.hosts) {
      const listed = run(host.netns, 'nft', 'list', 'table', 'inet', 'probe');
      const counts = [...listed.matchAll(/counter packets (\d+)/g)].map(([, n]) => Number(n));
      const [untrackedIn = 0, trackedIn, untrackedOut = 0, trackedOut] = counts;
      t.true(untrackedIn > 0 && untrackedOut > 0, listed);
      t.is(trackedIn, 0, listed);
      t.is(trackedOut, 0, listed);
    }
  });
}
