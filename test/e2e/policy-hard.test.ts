/** Policies while everything around them changes: no verdict that neither what was nor what is gives. */
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import type { Host } from '../../lab/index.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import { removePolicies, startParties, stopAgents, wrong } from '../helpers/policy-parties.js';
import { reuseOneAddress } from '../helpers/policy-reuse.js';
import { createNetwork, nothingLeft, startDaemons } from '../helpers/weft-lab.js';

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
