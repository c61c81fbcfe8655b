/** Containers find each other by name, on whichever host they are. */
import test, { type ExecutionContext } from 'ava';
import { type Host, imageName, waitFor } from '../../lab/index.js';
import { parseAddress } from '../../src/net/index.js';
import { closeFd, openNetns } from '../../src/netlink/index.js';
import { UpstreamServer } from '../helpers/dns-sandbox.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import {
  addressOf,
  createNetwork,
  fetches,
  nothingLeft,
  runIdle,
  runWeb,
  startDaemons,
} from '../helpers/weft-lab.js';

const lab = await sharedLab();
const three = onHosts(lab, 3);
const [first, second, third] = lab.hosts;

test.before(async () => startDaemons(lab));
test.afterEach.always(async (t) => leaveClean(lab, t));
test.after.always(async () => nothingLeft(lab));

/** What a container is answered, by BusyBox's nslookup: one line a record, sorted; empty when there is none. */
async function lookup(host: Host, client: string, name: string, type = 'a'): Promise<string[]> {
  const argv = ['docker', 'exec', client, 'nslookup', `-type=${type}`, name];
  const { stdout } = await host.exec(argv);
  const answers = stdout.split('\n\n').slice(1).join('\n').split('\n');
  const values = answers.flatMap((line) => {
    const [, value] = /^(?:Address:|.*name =|.*service =) *(.+)$/.exec(line) ?? [];
    return value === undefined ? [] : [value];
  });
  return values.toSorted();
}

async function untilNamed(host: Host, client: string, name: string, answer: readonly string[]) {
  await waitFor(
    `${name} to be ${answer.join(' ') || 'gone'} for ${client} on ${host.name}`,
    async () => {
      const got = await lookup(host, client, name);
      return got.join(' ') === answer.toSorted().join(' ');
    },
  );
}

three(
  'names > a container of one host is found by name on every host, and no more when it is gone',
  async (t) => {
    await createNetwork(lab.hosts, 'web');
    for (const host of lab.hosts) await runIdle(host, `on-${host.name}`, '--network', 'web');
    await runWeb(first!, 'api', '--network', 'web');
    const address = await addressOf(first!, 'api', 'web');
    for (const host of lab.hosts) {
      const client = `on-${host.name}`;
      await untilNamed(host, client, 'api', [address]);
      t.is(await fetches(host, client, 'http://api/'), 'api\n', host.name);
      const { stdout } = await host.exec(['docker', 'exec', client, 'getent', 'hosts', 'api']);
      t.regex(stdout, new RegExp(`^${address} `), `getent on ${host.name}: ${stdout}`);
    }
    await first!.docker('rm', '--force', 'api');
    for (const host of [second!, third!]) await untilNamed(host, `on-${host.name}`, 'api.weft', []);
    await untilNamed(first!, 'on-h1', 'api.web.weft', []);
  },
);

three(
  'names > every name of a container is answered elsewhere, and its address and ports too',
  async (t) => {
    await createNetwork(lab.hosts, 'web');
    await runIdle(second!, 'client', '--network', 'web');
    const flags = ['--network-alias', 'alias', '--hostname', 'inside', '--expose', '80'];
    const labels = ['--label', 'weft.name=extra', '--label', 'weft.srv.metrics=9100'];
    await runIdle(first!, 'Api', '--network', 'web', ...flags, ...labels);
    const address = await addressOf(first!, 'Api', 'web');
    const id = await first!.docker('inspect', '-f', '{{.Id}}', 'Api');
    await untilNamed(second!, 'client', 'api', [address]);
    const names = ['API', 'alias', 'inside', 'extra', id.slice(0, 12), 'alias.web'];
    for (const name of [...names, 'api.web.weft', 'api.weft']) {
      t.deepEqual(await lookup(second!, 'client', name), [address], name);
    }
    t.deepEqual(await lookup(second!, 'client', 'nobody.weft'), []);
    const reverse = `${address.split('.').toReversed().join('.')}.in-addr.arpa`;
    t.deepEqual(await lookup(second!, 'client', reverse, 'ptr'), ['Api.web.weft']);
    t.deepEqual(await lookup(second!, 'client', '_80._tcp.api', 'srv'), ['0 1 80 Api.web.weft']);
    t.deepEqual(await lookup(second!, 'client', '_metrics._tcp.api', 'srv'), [
      '0 1 9100 Api.web.weft',
    ]);
    const underlay = await lookup(second!, 'client', `${first!.name}.host.weft`);
    t.is(underlay.length, 1);
  },
);

three(
  'names > a name of several hosts is all of them, and a network that the asker is not on has none',
  async (t) => {
    await createNetwork(lab.hosts, 'web');
    await createNetwork(lab.hosts, 'back');
    const addresses: string[] = [];
    for (const host of lab.hosts) {
      const more = ['--network', 'web', '--network-alias', 'all'];
      await runIdle(host, `on-${host.name}`, ...more);
      addresses.push(await addressOf(host, `on-${host.name}`, 'web'));
    }
    await runIdle(first!, 'hidden', '--network', 'back');
    for (const host of [second!, third!]) {
      await untilNamed(host, `on-${host.name}`, 'all.web.weft', addresses);
    }
    t.deepEqual(await lookup(second!, 'on-h2', 'hidden.weft'), []);
    await second!.docker('network', 'connect', 'back', 'on-h2');
    await untilNamed(second!, 'on-h2', 'hidden', [await addressOf(first!, 'hidden', 'back')]);
    await second!.docker('network', 'disconnect', 'back', 'on-h2');
    await untilNamed(second!, 'on-h2', 'hidden.weft', []);
  },
);

three('names > a container finds others in its first question', async (t) => {
  await createNetwork(lab.hosts, 'web');
  await runIdle(first!, 'api', '--network', 'web');
  const address = await addressOf(first!, 'api', 'web');
  await runIdle(second!, 'client', '--network', 'web');
  await untilNamed(second!, 'client', 'api', [address]);
  // Before 28 the namespace comes after weft's calls, and the first question may be Docker's to answer.
  const isFirst = lab.engine === '28.5';
  for (let i = 0; i < 5; i += 1) {
    const ask = 'nslookup -type=a api';
    const again = isFirst ? ask : `${ask} || { sleep 1; ${ask}; }`;
    const answer = await second!.docker(
      'run',
      '--rm',
      '--network',
      'web',
      imageName,
      'sh',
      '-c',
      again,
    );
    t.true(answer.includes(address), `start ${i}`);
  }
});

three(
  'names > a daemon that was killed answers again, and Docker’s own names never stopped',
  async (t) => {
    await createNetwork(lab.hosts, 'web');
    await runIdle(first!, 'api', '--network', 'web');
    await runIdle(second!, 'client', '--network', 'web');
    await runIdle(second!, 'neighbor', '--network', 'web');
    const address = await addressOf(first!, 'api', 'web');
    const neighbor = await addressOf(second!, 'neighbor', 'web');
    await untilNamed(second!, 'client', 'api', [address]);
    await second!.daemon.kill();
    t.deepEqual(await lookup(second!, 'client', 'neighbor'), [neighbor]);
    await second!.daemon.start();
    await untilNamed(second!, 'client', 'api', [address]);
    t.deepEqual(await lookup(second!, 'client', 'neighbor'), [neighbor]);
  },
);

/** A server on the host's loopback that knows every name, or none. */
async function upstreamOn(t: ExecutionContext, host: Host, rcode = 0): Promise<UpstreamServer> {
  const server = new UpstreamServer(300, rcode);
  const netns = openNetns(`/proc/${host.state.pid}/ns/net`);
  t.teardown(() => {
    server.stop();
    closeFd(netns);
  });
  await server.listen(netns, { address: parseAddress('127.0.0.1'), port: 5353 });
  return server;
}

const upstreamLabel = ['--label', 'weft.dns.upstream=127.0.0.1:5353'];

three(
  'names > a container with an upstream of its own asks that what weft does not know, once',
  async (t) => {
    await createNetwork(lab.hosts, 'web');
    await runIdle(first!, 'api', '--network', 'web');
    const upstream = await upstreamOn(t, second!);
    await runIdle(second!, 'client', '--network', 'web', ...upstreamLabel);
    await untilNamed(second!, 'client', 'www.example.com', ['192.0.2.1']);
    await untilNamed(second!, 'client', 'api', [await addressOf(first!, 'api', 'web')]);
    const asked = upstream.asked.length;
    t.deepEqual(await lookup(second!, 'client', 'WWW.example.com'), ['192.0.2.1']);
    t.is(upstream.asked.length, asked, upstream.asked.join(' '));
  },
);

three(
  'names > a container’s --dns, its networks of Docker’s and who shares its namespace are as Docker has them',
  async (t) => {
    await createNetwork(lab.hosts, 'web');
    await runIdle(first!, 'server', '--network', 'web');
    const address = await addressOf(first!, 'server', 'web');
    const server = new UpstreamServer(300);
    const pid = await first!.docker('inspect', '--format', '{{.State.Pid}}', 'server');
    const netns = openNetns(`/proc/${pid}/ns/net`);
    t.teardown(() => {
      server.stop();
      closeFd(netns);
    });
    await server.listen(netns, { address: parseAddress(address), port: 53 });
    await second!.docker('network', 'create', 'local');
    await runIdle(second!, 'db', '--network', 'local');
    await runIdle(second!, 'client', '--network', 'web', '--dns', address);
    await second!.docker('network', 'connect', 'local', 'client');
    await runIdle(second!, 'shares', '--network', 'container:client');
    for (const client of ['client', 'shares']) {
      await untilNamed(second!, client, 'server', [address]);
      await untilNamed(second!, client, 'db.local', [await addressOf(second!, 'db', 'local')]);
      await untilNamed(second!, client, 'www.example.com', ['192.0.2.1']);
    }
    await second!.docker('rm', '--force', 'db');
    // What Docker said of its own is not remembered: now the server is asked, which knows every name.
    await untilNamed(second!, 'client', 'db.local', ['192.0.2.1']);
    t.true(server.asked.includes('db.local'), server.asked.join(' '));
  },
);

three('names > search domains are tried as resolv.conf says, and lead to our names', async (t) => {
  await createNetwork(lab.hosts, 'web');
  await runIdle(first!, 'api', '--network', 'web');
  const address = await addressOf(first!, 'api', 'web');
  const upstream = await upstreamOn(t, second!, 3);
  const asks = async (client: string, name: string): Promise<string> => {
    const { stdout } = await second!.exec(['docker', 'exec', client, 'getent', 'hosts', name]);
    return stdout.split(' ')[0]!;
  };
  const cases = [
    ['as-docker-has-it', [], ['api', 'api.web', 'api.web.weft', 'api.weft']],
    ['many-dots', ['--dns-option', 'ndots:5'], ['api', 'api.web', 'api.weft']],
    ['elsewhere', ['--dns-search', 'corp.example', '--dns-option', 'ndots:1'], ['api', 'api.web']],
    ['ours', ['--dns-search', 'web.weft', '--dns-option', 'ndots:1'], ['api', 'api.web.weft']],
    ['domain', ['--dns-search', 'weft', '--dns-option', 'ndots:2'], ['api', 'api.web']],
  ] as const;
  for (const [client, flags, names] of cases) {
    await runIdle(second!, client, '--network', 'web', ...upstreamLabel, ...flags);
    await untilNamed(second!, client, 'api.web.weft', [address]);
    await waitFor(`the upstream of ${client}`, async () => {
      const before = upstream.asked.length;
      await lookup(second!, client, `${client}.example.com`);
      return upstream.asked.length > before;
    });
    for (const name of names) t.is(await asks(client, name), address, `${name} for ${client}`);
  }
  t.true(upstream.asked.includes('api.corp.example'), upstream.asked.join(' '));
});

three('names > a host with a listener of its own finds containers of all', async (t) => {
  const path = '/etc/weft/weft.json';
  const before = JSON.parse(await second!.readFile(path)) as Record<string, unknown>;
  t.teardown(async () => {
    await second!.configureWeft(before);
    await second!.daemon.restart();
  });
  await second!.configureWeft({ ...before, dns: { listen: '127.0.0.153' } });
  await second!.daemon.restart();
  await createNetwork(lab.hosts, 'web');
  await runIdle(first!, 'api', '--network', 'web');
  const address = await addressOf(first!, 'api', 'web');
  await waitFor('the host to be answered', async () => {
    const ask = ['busybox', 'nslookup', '-type=a', 'api.web.weft', '127.0.0.153'];
    return (await second!.exec(ask)).stdout.includes(`Address: ${address}\n`);
  });
  const other = ['busybox', 'nslookup', '-type=a', 'www.example.com', '127.0.0.153'];
  t.regex((await second!.exec(other)).stdout, /REFUSED/);
});
