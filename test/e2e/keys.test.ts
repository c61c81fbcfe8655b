/** Somebody deletes what weft has in Consul, by hand or by a script that meant something else. */
import test from 'ava';
import { type Host, waitFor } from '../../lab/index.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import {
  addressOf,
  createNetwork,
  networkKeys,
  nothingLeft,
  pings,
  runIdle,
  startDaemons,
} from '../helpers/weft-lab.js';

const lab = await sharedLab();
const three = onHosts(lab, 3);
const [h1, h2] = lab.hosts as [Host, Host];

test.before(async () => startDaemons(lab));
test.afterEach.always(async (t) => leaveClean(lab, t));
test.after.always(async () => nothingLeft(lab));

/** What says the same whoever writes it and whenever; a membership's time, a block's reserve and the guard's nonce do not. */
const LASTING = /^(vnis|names|networks|vteps|heads|pools|pool-hosts|hosts)\//;
/** Written when it is next needed, and nothing rests on it until then. */
const PASSING = /^(wanted\/|away\/|ula$)/;

function url(path: string): string {
  return `${lab.consul[0]!.url}/v1/kv/weft/v1/${path}`;
}

async function value(key: string): Promise<string | undefined> {
  const reply = await fetch(url(`${key}?raw`));
  return reply.ok ? reply.text() : undefined;
}

async function allKeys(): Promise<string[]> {
  const names = (await (await fetch(url('?keys'))).json()) as string[];
  return names.map((name) => name.slice('weft/v1/'.length)).filter((key) => !PASSING.test(key));
}

three('keys that somebody deletes come back, each by itself and all of them', async (t) => {
  t.timeout(600_000);
  await createNetwork(lab.hosts, 'web');
  for (const host of lab.hosts) await runIdle(host, `on-${host.name}`, '--network', 'web');
  await waitFor('all to be written', async () => (await networkKeys(lab)).length > 0);
  const addresses = new Set<string>();
  for (const host of lab.hosts) addresses.add(await addressOf(host, `on-${host.name}`, 'web'));
  t.is(addresses.size, 3);

  const took: [number, string][] = [];
  const keys = await allKeys();
  for (const key of keys) {
    const before = await value(key);
    await fetch(url(key), { method: 'DELETE' });
    const began = performance.now();
    await waitFor(`${key} to be there again`, async () => (await value(key)) !== undefined);
    took.push([Math.round(performance.now() - began), key]);
    if (LASTING.test(key)) t.deepEqual(JSON.parse((await value(key))!), JSON.parse(before!), key);
  }
  took.sort(([a], [b]) => b - a);
  t.log(`${took.length} keys, back after at most ${took[0]?.[0]} ms (${took[0]?.[1]})`);
  t.true(took[0]![0] < 15_000);

  await fetch(url('?recurse'), { method: 'DELETE' });
  await waitFor('all of them to be there again', async () => {
    const there = new Set(await allKeys());
    // Which blocks a host has beside those it uses is up to it.
    return keys.every((key) => there.has(key) || key.startsWith('blocks/'));
  });

  for (const [i, host] of lab.hosts.entries()) {
    await runIdle(host, `new-${i}`, '--network', 'web');
    addresses.add(await addressOf(host, `new-${i}`, 'web'));
  }
  t.is(addresses.size, 6, 'no address is given twice');
  for (const address of addresses) {
    await waitFor(`${address} to answer`, async () => pings(h1, `on-${h1.name}`, address));
  }
  t.regex(await h2.weft('events', '--json'), /KEYS_LOST_IN_STORE/);
});
