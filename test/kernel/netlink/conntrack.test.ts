import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';
import { Connection, NETLINK, nft, readConnections } from '../../../src/netlink/index.js';
import { flowOf, flowText } from '../../../src/policy/index.js';
import { testNetns } from '../../helpers/native.js';

/** Connects by TCP, and asks by UDP, by both families, from what has addresses to itself; keeps one connection of two, and says so. */
const TALK = `const { createServer, createConnection } = require('node:net');
const { createSocket } = require('node:dgram');
createServer((socket) => socket.on('error', () => undefined)).listen(8080, '::', () => {
  const kept = [createConnection(8080, '10.0.0.1'), createConnection(8080, 'fd00::1')];
  const ended = createConnection(8080, '10.0.0.2', () => ended.resetAndDestroy());
  ended.on('close', () => createSocket('udp6').send('?', 5353, 'fd00::1', () => console.log('ready')));
});`;

test('conntrack > connections of a namespace are read as they were begun, up to a limit', async (t) => {
  const netns = await testNetns(t);
  netns.ip('link', 'set', 'lo', 'up');
  netns.ip('address', 'add', '10.0.0.1/32', 'dev', 'lo');
  netns.ip('address', 'add', '10.0.0.2/32', 'dev', 'lo');
  netns.ip('address', 'add', 'fd00::1/128', 'dev', 'lo', 'nodad');
  await using conn = await Connection.open({ netns: netns.path, protocol: NETLINK.NETFILTER });
  t.deepEqual(await readConnections(conn, 10), { count: 0, connections: [] });
  const { accept, ctState, rule } = nft;
  const base = { type: 'filter', hook: 'input', priority: 0 } as const;
  const rules = [rule('tracked', ctState('new'), accept)];
  const chains = [{ name: 'all', base, rules }];
  await nft.ensureTable(conn, { family: 'inet', name: 'track', chains });
  const inside = (...argv: readonly [string, ...string[]]) =>
    execFileSync('ip', ['netns', 'exec', netns.name, ...argv]);
  const talk = spawn('ip', ['netns', 'exec', netns.name, process.execPath, '-e', TALK]);
  t.teardown(() => talk.kill());
  await once(talk.stdout, 'data');
  inside('busybox', 'ping', '-c', '1', '10.0.0.1');
  inside('busybox', 'ping', '-c', '1', 'fd00::1');
  const { count, connections } = await readConnections(conn, 1000);
  const flows = connections.map(flowOf);
  const texts = flows.map((flow) => `${flow.source} ${flow.destination} ${flowText(flow)}`);
  t.is(count, texts.length);
  for (const text of [
    '10.0.0.1 10.0.0.1 tcp/8080',
    'fd00::1 fd00::1 tcp/8080',
    'fd00::1 fd00::1 udp/5353',
    '10.0.0.1 10.0.0.1 icmp/8',
    'fd00::1 fd00::1 icmpv6/128',
  ]) {
    t.true(texts.includes(text), `${text} is among ${texts.join(', ')}`);
  }
  t.false(
    flows.some(({ destination }) => destination === '10.0.0.2'),
    'it has ended',
  );
  const { connections: none, count: all } = await readConnections(conn, 4);
  t.deepEqual([none, all > count], [[], true]);
});
