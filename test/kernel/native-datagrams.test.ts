import dgram from 'node:dgram';
import test, { type ExecutionContext } from 'ava';
import { parseAddress } from '../../src/net/index.js';
import { Datagrams, type OnDatagram } from '../../src/netlink/datagrams.js';
import { localPort, openInet } from '../../src/netlink/native.js';
import { openFds, testNetns, until } from '../helpers/native.js';

const LOOPBACK = parseAddress('127.0.0.1');
const local = { address: LOOPBACK, port: 0 };

interface Pair {
  readonly datagrams: Datagrams;
  /** Sends to it. */
  readonly say: (text: string) => void;
  /** What it answered. */
  readonly heard: string[];
}

/** A socket under test in a namespace of its own, and one that asks it. */
async function pair(t: ExecutionContext, onDatagram: OnDatagram): Promise<Pair> {
  const netns = await testNetns(t);
  netns.ip('link', 'set', 'lo', 'up');
  const fd = openInet(netns.fd, { transport: 'udp', local });
  const port = localPort(fd);
  const datagrams = new Datagrams(fd, onDatagram);
  const asker = dgram.createSocket('udp4');
  asker.bind({ fd: openInet(netns.fd, { transport: 'udp', local }) });
  const heard: string[] = [];
  asker.on('message', (reply) => heard.push(reply.toString('latin1')));
  t.teardown(() => {
    datagrams.close();
    asker.close();
  });
  return { datagrams, heard, say: (text) => asker.send(text, port, LOOPBACK) };
}

const text = (octets: Uint8Array): string => Buffer.from(octets).toString('latin1');

test('datagrams > each is answered to who sent it, however many come at once', async (t) => {
  const { say, heard } = await pair(t, (message) => Buffer.from(`re ${text(message)}`));
  const all = Array.from({ length: 150 }, (_, i) => String(i));
  for (const each of all) say(each);
  await until('all answers', () => heard.length === all.length);
  t.deepEqual(heard.toSorted(), all.map((each) => `re ${each}`).toSorted());
});

test('datagrams > one may be answered later, or never, and nothing after the end', async (t) => {
  const later: (() => void)[] = [];
  const { datagrams, say, heard } = await pair(t, (message, from) => {
    const said = text(message);
    const peer = from.peer();
    if (said === 'never') return undefined;
    later.push(() => from.send(Buffer.from(`late ${said}`), peer));
    return undefined;
  });
  for (const each of ['a', 'never', 'b']) say(each);
  await until('the questions', () => later.length === 2);
  later[1]!();
  later[0]!();
  await until('the answers', () => heard.length === 2);
  t.deepEqual(heard, ['late b', 'late a']);
  datagrams.close();
  t.notThrows(() => later[0]!());
});

test('datagrams > what is too long is no datagram, and no answer', async (t) => {
  const lengths: number[] = [];
  const { say, heard } = await pair(t, (message) => {
    lengths.push(message.length);
    return message.length === 0 ? Buffer.alloc(4000) : Buffer.from('ok');
  });
  say('x'.repeat(2049));
  say('x'.repeat(2048));
  await until('the answer', () => heard.length === 1);
  t.deepEqual(lengths, [0, 2048]);
  t.deepEqual(heard, ['ok']);
});

test('datagrams > closed in the middle of a batch it is silent, and its descriptor is gone at once', async (t) => {
  const before = openFds();
  let calls = 0;
  const { say, heard } = await pair(t, (_message, from) => {
    calls += 1;
    from.close();
    return Buffer.from('too late');
  });
  const open = openFds();
  for (let i = 0; i < 10; i += 1) say('x');
  await until('the call', () => calls > 0);
  t.is(openFds(), open - 1);
  t.true(open > before);
  t.is(calls, 1);
  t.deepEqual(heard, []);
});
