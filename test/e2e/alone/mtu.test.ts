/** Underlays of several sizes: what fits passes, what does not is refused aloud, and TCP never hangs. */
import test from 'ava';
import { Lab, imageName, waitFor } from '../../../lab/index.js';
import { addressOf, createNetwork, pidOf, pings, runIdle } from '../../helpers/weft-lab.js';

for (const mtu of [1400, 1500, 9000]) {
  test(`D9: an underlay of ${mtu} octets carries what fits and says what does not, with ICMP filtered`, async (t) => {
    await using lab = await Lab.create({ hosts: 2, engine: '28.5', store: 'consul', mtu });
    const [h1, h2] = [lab.host(0), lab.host(1)];
    for (const host of lab.hosts) {
      const drop = ['-p', 'icmp', '--icmp-type', 'fragmentation-needed', '-j', 'DROP'];
      await host.execOk(['iptables', '-I', 'INPUT', ...drop]);
      await host.execOk(['iptables', '-I', 'FORWARD', ...drop]);
    }
    await createNetwork(lab.hosts, 'web');
    const script =
      'mkdir /www; dd if=/dev/zero of=/www/megabyte bs=1M count=1; exec httpd -f -p 80 -h /www';
    await h1.docker(
      'run',
      '-d',
      '--name',
      'site',
      '--network',
      'web',
      imageName,
      'sh',
      '-c',
      script,
    );
    await runIdle(h2, 'client', '--network', 'web');
    const address = await addressOf(h1, 'site', 'web');
    t.regex(
      await h2.inContainer('client', ['ip', '-o', 'link', 'show', 'eth0']),
      new RegExp(`mtu ${mtu - 50} `),
    );

    // Of the MTU inside, 28 octets are headers of IPv4 and ICMP.
    const fits = mtu - 50 - 28;
    t.true(await pings(h2, 'client', address, '-s', String(fits)), `${fits} octets fit`);
    const pid = await pidOf(h2, 'client');
    const tooLarge =
      'import socket;s=socket.socket(2,2);s.setsockopt(0,10,2);s.connect(("' +
      `${address}",9));s.send(b"x"*${fits + 1})`;
    const { code, stderr } = await h2.exec([
      'nsenter',
      '--net',
      '--target',
      pid,
      '--',
      'python3',
      '-c',
      tooLarge,
    ]);
    t.not(code, 0);
    t.regex(stderr, /Message too long/, 'one octet more is refused at once, not lost');

    const got = await waitFor('a megabyte over TCP', async () =>
      h2.inContainer('client', [
        'sh',
        '-c',
        `timeout 10 wget -q -O - http://${address}/megabyte | wc -c`,
      ]),
    );
    t.is(got.trim(), String(1024 * 1024));
  });
}
