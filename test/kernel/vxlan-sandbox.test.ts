import test from 'ava';
import { deleteNetns } from '../../src/netlink/index.js';
import { NETWORK, VxlanLab, endpoint, run, spec, until } from '../helpers/vxlan-lab.js';

const addressesOf = (n: number) =>
  endpoint(n).addresses.map((address) => ({
    address,
    prefixLength: address.includes(':') ? 64 : 16,
  }));

test("datapath > containers whose links went with their network's namespace, while no daemon ran, get new ones", async (t) => {
  await using lab = await VxlanLab.create();
  const [host] = lab.hosts;
  await host!.datapath.ensureNetwork(spec());
  const one = await lab.attach(host!, endpoint(1));
  const two = await lab.attach(host!, endpoint(2));
  t.not(await one.udp('10.0.0.2'), undefined);
  await host!.datapath.close();
  await deleteNetns(host!.network());
  for (const { netns } of [one, two]) {
    await until('the links to be gone', () => !run(netns, 'ip', 'link').includes('eth0'));
  }
  // What Docker added for the way out took the first name.
  run(one.netns, 'ip', 'link', 'add', 'eth0', 'type', 'bridge');

  await using after = await host!.open();
  await after.ensureNetwork(spec());
  for (const n of [1, 2]) await after.ensureEndpoint(NETWORK, endpoint(n));
  const sandboxes = [one, two].map(({ netns: path }, i) => ({
    endpointId: endpoint(i + 1).id,
    path,
    addresses: addressesOf(i + 1),
  }));
  const gone = { endpointId: endpoint(3).id, path: '/run/netns/none', addresses: [] };
  await after.ensureEndpoint(NETWORK, endpoint(3));
  const [first, second, third] = await after.enterSandboxes([...sandboxes, gone]);
  t.deepEqual([first, second], [{ endpointId: endpoint(1).id }, { endpointId: endpoint(2).id }]);
  t.truthy(third!.error);
  t.regex(
    run(one.netns, 'ip', '-br', 'address', 'show', 'eth1'),
    /UP +10\.0\.0\.1\/16 fd00::1\/64/,
  );
  for (const address of ['10.0.0.2', 'fd00::2']) {
    await two.ask('serve', { address, port: 8 });
    t.not(await one.udp(address, { port: 8 }), undefined, address);
  }
  t.deepEqual(await after.enterSandboxes(sandboxes), [], 'nothing is left to do');
});
