/** An outage of Consul as long as in the field: WEFT_OUTAGE_SECONDS, ten minutes unless told. */
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { type Host, Lab } from '../../lab/index.js';
import {
  allAgree,
  cpuDuring,
  fiftyEndpoints,
  startStore,
  stopStore,
  storeAnswers,
} from '../helpers/outage.js';
import { addressOf, pidOf, pings, runIdle } from '../helpers/weft-lab.js';

const seconds = Number(process.env['WEFT_OUTAGE_SECONDS'] ?? 600);
const MOST_CPU_PERCENT = 2;
const AGREE_MS = 5_000;

test('I6: ten minutes without Consul: traffic flows, containers come and go, weftd idles, all agree soon after', async (t) => {
  t.timeout(seconds * 1000 + 300_000);
  await using lab = await Lab.create({
    hosts: 3,
    engine: '28.5',
    store: 'consul',
    consulServers: 3,
  });
  const [h1, h2, h3] = lab.hosts as [Host, Host, Host];
  await fiftyEndpoints(lab);
  const address = await addressOf(h2, 'h2-0', 'n1');
  const count = String(seconds * 10);
  await stopStore(lab);
  const ping = ['busybox', 'ping', '-i', '0.1', '-c', count, address];
  const inside = ['nsenter', '--net', '--target', await pidOf(h1, 'h1-0'), '--'];
  const stream = h1.exec([...inside, ...ping], { timeoutMs: seconds * 1000 + 120_000 });

  const cpu = await cpuDuring(lab, async () => {
    for (let round = 0; round < 4; round += 1) {
      await h1.docker('restart', '-t', '0', 'h1-1');
      await h3.docker('stop', '-t', '0', 'h3-1');
      await h3.docker('start', 'h3-1');
      await delay((seconds * 1000) / 4);
    }
  });
  t.log(`${seconds} s: CPU ${cpu.map((each) => each.toFixed(2)).join(', ')} %`);
  for (const each of cpu) t.true(each < MOST_CPU_PERCENT, `CPU ${each.toFixed(2)} %`);
  t.regex((await stream).stdout, / 0% packet loss/);
  await runIdle(h3, 'late', '--network', 'n1');
  t.true(await pings(h3, 'late', address), 'a new container, from the reserve');

  await startStore(lab);
  await storeAnswers(lab);
  const tookMs = await allAgree(lab);
  t.log(`all agree ${(tookMs / 1000).toFixed(1)} s after its return`);
  t.true(tookMs < AGREE_MS, `all agree after ${tookMs} ms`);
  const moved = await addressOf(h1, 'h1-1', 'n1');
  t.true(await pings(h2, 'h2-0', moved), 'a container that was restarted meanwhile is reached');
});
