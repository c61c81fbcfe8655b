import test from 'ava';
import { parseAddress, parseMac } from '../../../src/net/index.js';
import {
  Connection,
  NetlinkError,
  appendFdb,
  deleteLink,
  dumpLinks,
  getLink,
  replaceFdb,
  setLink,
} from '../../../src/netlink/index.js';
import { NLMSG, NLM_F, splitDatagram } from '../../../src/netlink/message.js';
import { ack, done, fakeSocket, links, reply } from './fake-socket.js';

const entry = (i: number) => ({
  ifindex: 4,
  mac: parseMac(
    `02:42:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`,
  ),
  owner: 'self' as const,
  state: 'permanent' as const,
  dst: parseAddress('10.0.0.2'),
});

test('request > sends several messages at once and matches each ack, whatever their order', async (t) => {
  const socket = fakeSocket((sent) => [
    ack(sent[2]!, 0),
    ack(sent[1]!, 17),
    Buffer.concat([ack(sent[0]!, 0), ack(sent[3]!, 19)]),
  ]);
  const conn = new Connection(socket);
  const outcomes = await conn.request([
    setLink(1, { isUp: true }),
    replaceFdb(entry(1)),
    replaceFdb(entry(2)),
    deleteLink('gone'),
  ]);
  t.is(socket.requests.length, 1);
  t.deepEqual(
    outcomes.map((o) => o?.code),
    [undefined, 'EEXIST', undefined, 'ENODEV'],
  );
  t.is(outcomes[3]!.message, 'RTM_DELLINK of link "gone" refused with ENODEV');
});

test('request > asks for an ack to every message, with sequence numbers that go on', async (t) => {
  const socket = fakeSocket((sent) => sent.map((m) => ack(m, 0)));
  const conn = new Connection(socket);
  await conn.request([setLink(1, {}), setLink(2, {})]);
  await conn.request([appendFdb(entry(1))]);
  const headers = socket.requests.flatMap(splitDatagram);
  t.deepEqual(
    headers.map((m) => m.sequence),
    [1, 2, 3],
  );
  t.true(headers.every((m) => (m.flags & NLM_F.REQUEST) !== 0 && (m.flags & NLM_F.ACK) !== 0));
});

test('request > splits what does not fit one datagram, unless it must stay whole', async (t) => {
  const socket = fakeSocket((sent) => sent.map((m) => ack(m, 0)));
  const conn = new Connection(socket);
  const messages = Array.from({ length: 150 }, (_, i) => replaceFdb(entry(i)));
  t.is((await conn.request(messages)).length, 150);
  t.deepEqual(
    socket.requests.map((r) => splitDatagram(r).length),
    [64, 64, 22],
  );
  await conn.request(messages, { whole: true });
  t.is(splitDatagram(socket.requests[3]!).length, 150);
});

test('request > says NO_REPLY for a message that nobody answered, and ignores what answers nobody', async (t) => {
  const conn = new Connection(fakeSocket((sent) => [ack({ ...sent[0]!, sequence: 999 }, 17)]));
  const [outcome] = await conn.request([setLink(1, {})]);
  t.is(outcome?.code, 'NO_REPLY');
});

test('request > sends nothing when one message cannot be encoded', async (t) => {
  const socket = fakeSocket(() => []);
  const conn = new Connection(socket);
  const many = Array.from({ length: 100 }, () => setLink(1, {}));
  await t.throwsAsync(conn.request([...many, setLink(1, { mtu: -1 })]), {
    instanceOf: NetlinkError,
    code: 'UNENCODABLE',
  });
  t.is(socket.requests.length, 0);
});

test('request > does not send an empty batch', async (t) => {
  const socket = fakeSocket(() => []);
  t.deepEqual(await new Connection(socket).request([]), []);
  t.is(socket.requests.length, 0);
});

test('apply > throws the first refusal', async (t) => {
  const conn = new Connection(fakeSocket((sent) => [ack(sent[0]!, 0), ack(sent[1]!, 1)]));
  await t.throwsAsync(conn.apply(setLink(1, {}), setLink(2, {})), { code: 'EPERM' });
});

test('request > gives the kernel words and the attribute it pointed at', async (t) => {
  const text = 'Invalid MTU';
  const conn = new Connection(
    fakeSocket((sent) => [ack(sent[0]!, 22, { text, offset: 16 + 16 + 12 })]),
  );
  const [outcome] = await conn.request([setLink('vxlan0', { mtu: 99 })]);
  t.is(
    outcome?.message,
    'RTM_NEWLINK of link "vxlan0" refused with EINVAL: Invalid MTU (IFLA.mtu)',
  );
  t.like(outcome?.detail, { errno: 22, op: 'RTM_NEWLINK', extack: text, attribute: 'IFLA.mtu' });
});

test('request > names an attribute that the kernel misses', async (t) => {
  const conn = new Connection(fakeSocket((sent) => [ack(sent[0]!, 22, { missing: 3 })]));
  const [outcome] = await conn.request([setLink(1, {})]);
  t.like(outcome?.detail, { attribute: 'IFLA.name is missing' });
});

test('get > answers the reply, and throws what the kernel refuses', async (t) => {
  const conn = new Connection(
    fakeSocket((sent) =>
      sent[0]!.length > 32 ? [ack(sent[0]!, 19)] : [reply(sent[0]!, links.eth0), ack(sent[0]!, 0)],
    ),
  );
  t.like(await getLink(conn, 2), { ifindex: 2, name: 'eth0', mtu: 1500 });
});

test('get > says NO_REPLY when the kernel acknowledges and says no more', async (t) => {
  const conn = new Connection(fakeSocket((sent) => [ack(sent[0]!, 0)]));
  await t.throwsAsync(getLink(conn, 2), { code: 'NO_REPLY' });
});

test('dump > gathers all replies up to the end, over several datagrams', async (t) => {
  const conn = new Connection(
    fakeSocket((sent) => [
      Buffer.concat([reply(sent[0]!, links.lo), reply(sent[0]!, links.eth0)]),
      reply(sent[0]!, links.br0),
      done(sent[0]!),
    ]),
  );
  t.deepEqual(
    (await dumpLinks(conn)).map((l) => l.name),
    ['lo', 'eth0', 'br0'],
  );
});

test('dump > starts again when the kernel says it was interrupted, and drops what it had', async (t) => {
  let attempts = 0;
  const socket = fakeSocket((sent) => {
    attempts += 1;
    const flags = attempts < 3 ? NLM_F.DUMP_INTR : 0;
    return [reply(sent[0]!, links.lo), reply(sent[0]!, links.eth0, flags), done(sent[0]!)];
  });
  t.is((await dumpLinks(new Connection(socket))).length, 2);
  t.is(socket.requests.length, 3);
});

test('dump > gives up after ten interruptions', async (t) => {
  const socket = fakeSocket((sent) => [done(sent[0]!, 0, NLM_F.DUMP_INTR)]);
  await t.throwsAsync(dumpLinks(new Connection(socket)), { code: 'INTERRUPTED' });
  t.is(socket.requests.length, 10);
});

test('dump > starts again after an overrun', async (t) => {
  let attempts = 0;
  const socket = fakeSocket((sent) => {
    attempts += 1;
    if (attempts === 1) throw Object.assign(new Error('x'), { code: 'ENOBUFS', errno: -105 });
    if (attempts === 2) return [reply(sent[0]!, links.lo, 0, NLMSG.OVERRUN), done(sent[0]!)];
    return [reply(sent[0]!, links.lo), done(sent[0]!)];
  });
  t.is((await dumpLinks(new Connection(socket))).length, 1);
});

test('dump > is an error when its end carries one, or never comes', async (t) => {
  const failed = new Connection(fakeSocket((sent) => [done(sent[0]!, 90)]));
  await t.throwsAsync(dumpLinks(failed), { code: 'EMSGSIZE' });
  const refused = new Connection(fakeSocket((sent) => [ack(sent[0]!, 22, { text: 'no' })]));
  await t.throwsAsync(dumpLinks(refused), { code: 'EINVAL', message: /refused with EINVAL: no$/ });
  const cut = new Connection(fakeSocket((sent) => [reply(sent[0]!, links.lo)]));
  await t.throwsAsync(dumpLinks(cut), { code: 'NO_REPLY' });
});

test('connection > runs calls one after another', async (t) => {
  let running = 0;
  const socket = fakeSocket(async (sent) => {
    running += 1;
    t.is(running, 1);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    running -= 1;
    return sent.map((m) => ack(m, 0));
  });
  const conn = new Connection(socket);
  await Promise.all([1, 2, 3].map(async (i) => conn.apply(setLink(i, {}))));
  t.is(socket.requests.length, 3);
});

test('connection > goes on after a call that failed', async (t) => {
  let calls = 0;
  const socket = fakeSocket((sent) => {
    calls += 1;
    if (calls === 1) throw Object.assign(new Error('x'), { code: 'EPERM', errno: -1 });
    return [ack(sent[0]!, 0)];
  });
  const conn = new Connection(socket);
  await t.throwsAsync(conn.apply(setLink(1, {})), { instanceOf: NetlinkError, code: 'EPERM' });
  await t.notThrowsAsync(conn.apply(setLink(1, {})));
});

test('close > lets the running call end, refuses the others, closes the socket once', async (t) => {
  const socket = fakeSocket(async (sent) => {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    return sent.map((m) => ack(m, 0));
  });
  const conn = new Connection(socket);
  const first = conn.apply(setLink(1, {}));
  await new Promise((resolve) => {
    queueMicrotask(() => resolve(undefined));
  });
  const second = t.throwsAsync(conn.apply(setLink(2, {})), { code: 'CLOSED' });
  await Promise.all([conn.close(), conn.close(), second, t.notThrowsAsync(first)]);
  await t.throwsAsync(conn.apply(setLink(3, {})), { code: 'CLOSED' });
  t.is(socket.requests.length, 1);
  t.is(socket.closed, 1);
});
