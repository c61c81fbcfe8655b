/** Policies while everything around them changes: no verdict that neither what was nor what is gives. */
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { type Host, waitFor } from '../../lab/index.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import { removePolicies, startParties, stopAgents, wrong } from '../helpers/policy-parties.js';
import { reuseOneAddress } from '../helpers/policy-reuse.js';
import {
  attachment,
  createNetwork,
  fetches,
  nothingLeft,
  pings,
  runIdle,
  runWeb,
  startDaemons,
} from '../helpers/weft-lab.js';

const lab = await sharedLab();
const three = onHosts(lab, 3);

test.before(async () => startDaemons(lab));
test.afterEach.always(async (t) => {
  await removePolicies(lab.host(0));
  await leaveClean(lab, t);
});
test.after.always(async () => nothingLeft(lab));

three(
  'W10: weftd killed, started and told late neither widens nor narrows what is allowed',
  async (t) => {
    t.timeout(300_000);
    const [h1, h2] = lab.hosts as [Host, Host];
    await createNetwork(lab.hosts, 'web', '--subnet', '10.83.0.0/16');
    const agents = await startParties(lab);
    try {
      await h1.writeFile(
        '/run/policy.yaml',
        'name: x\nnetworks: [web]\nendpoints: { project: x }\ningress:\n' +
          '  - { action: allow, from: [{ service: b }], ports: [tcp/80] }\n' +
          '  - { action: allow, from: [{ project: z }], ports: [udp] }\n',
      );
      await h1.weft('policy', 'apply', '-f', '/run/policy.yaml', '--wait');
      let isOver = false;
      let looks = 0;
      const watching = (async () => {
        const found: string[] = [];
        while (!isOver && found.length === 0) {
          const result = await wrong(
            agents,
            ({ from, to, port, protocol }) =>
              to.project !== 'x' ||
              (from.service === 'b' && protocol === 'tcp' && port === 80) ||
              (from.project === 'z' && protocol === 'udp'),
          );
          found.push(...result.wrong);
          looks += 1;
        }
        return found;
      })();
      for (const host of [h1, h2, h1]) {
        await host.daemon.kill();
        await delay(500);
        await host.daemon.start();
        await host.daemon.restart();
        // While Docker and the store tell a daemon that has just started, all of it is known bit by bit.
        await delay(1000);
      }
      await lab.consul[0]!.server.restart();
      await h1.daemon.restart();
      await delay(1000);
      isOver = true;
      t.deepEqual(await watching, []);
      t.log(`${looks} looks at 504 flows each`);
      t.true(looks >= 5);
    } finally {
      await stopAgents(agents);
    }
  },
);

three(
  'C8, I3: labels count from the first packet, and an address that is used again brings none along',
  async (t) => {
    t.timeout(300_000);
    t.log(await reuseOneAddress(t, lab, 16));
  },
);

three(
  'what a policy allows passes in any size, in either family, and the log tells of the rest',
  async (t) => {
    const [h1, h2] = lab.hosts as [Host, Host];
    await createNetwork(lab.hosts, 'web', '--ipv6');
    await runIdle(h1, 'from', '--network', 'web');
    await runWeb(h2, 'to', '--network', 'web');
    await runIdle(h2, 'other', '--network', 'web');
    await h1.writeFile(
      '/run/policy.yaml',
      'name: to\nnetworks: [web]\nendpoints: { names: [to] }\ningress:\n' +
        '  - { action: allow, from: [{ names: [from] }], ports: [icmp/8, icmpv6/128, tcp/80, udp] }\n' +
        '  - { action: log, from: [{ names: [from] }], ports: [tcp/80] }\n',
    );
    await h1.weft('policy', 'apply', '-f', '/run/policy.yaml', '--wait');
    const to = await attachment(h2, 'to', 'web');
    for (const address of [to.address, to.addressV6]) {
      await waitFor('the first answer', async () => pings(h1, 'from', address));
      for (const size of ['56', '1400', '1473', '4000', '20000']) {
        t.true(await pings(h1, 'from', address, '-s', size), `${size} octets to ${address}`);
      }
      for (const size of ['56', '4000']) {
        t.false(
          await pings(h2, 'other', address, '-s', size),
          `${size} octets to ${address}, denied`,
        );
      }
    }
    t.is((await fetches(h1, 'from', `http://${to.address}/`))?.trim(), 'to');
    t.is(await fetches(h2, 'other', `http://${to.address}/`), undefined);
    const hold = `sleep 60 | nc ${to.address} 80`;
    await h1.docker('exec', '--detach', 'from', 'sh', '-c', hold);
    await h2.writeFile(
      '/run/stricter.yaml',
      'name: to\nnetworks: [web]\nendpoints: { names: [to] }\ningress:\n' +
        '  - { action: allow, from: [{ names: [from] }], ports: [icmp/8] }\n',
    );
    const dryRun = async (): Promise<string> =>
      h2.weft('policy', 'apply', '-f', '/run/stricter.yaml', '--dry-run');
    const ends = /web +from +to +tcp\/80 +1 +no rule allows it in "to"/;
    await waitFor('the connection to be told', async () => ends.test(await dryRun()));
    t.regex(
      await dryRun(),
      /Of the connections open on this host now, \d+ would end and \d+ go on/,
    );
    const log = async (): Promise<string> => h2.weft('policy', 'log');
    await waitFor('the log', async () => (await log()).includes('denied  other'));
    const text = await log();
    t.regex(
      text,
      /logged {2}from \(.*\) to to \(.*\), tcp\/80, on web: rule 2 of policy "to" logs it/,
    );
    t.regex(
      text,
      /denied {2}other \(.*\) to to \(.*\), icmp\/8, on web: receiver's side: no rule allows it in "to"/,
    );
  },
);
