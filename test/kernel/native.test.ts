import { execFileSync } from 'node:child_process';
import { openSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import {
  closeFd,
  closeSocket,
  execute,
  openMonitor,
  openSocket,
  type NativeSocket,
} from '../../src/netlink/native.js';
import { dumpLinks, messageTypes, testNetns, until } from '../helpers/native.js';

const RTM_NEWLINK = 16;
const NLMSG_DONE = 3;
const RTNLGRP_LINK = 1;

function fail(error: Error): never {
  throw error;
}

/** Opens a socket that is closed after the test. */
async function open(t: ExecutionContext, ...args: Parameters<typeof openSocket>) {
  const socket = await openSocket(...args);
  t.teardown(() => closeSocket(socket));
  return socket;
}

test('native > a socket sees the links of the namespace it was opened in', async (t) => {
  const netns = await testNetns(t);
  const socket = await open(t, 0, { netnsFd: netns.fd });
  t.deepEqual(messageTypes(await execute(socket, dumpLinks())), [RTM_NEWLINK, NLMSG_DONE]);
  netns.ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  const types = messageTypes(await execute(socket, dumpLinks()));
  t.deepEqual(types, [RTM_NEWLINK, RTM_NEWLINK, RTM_NEWLINK, NLMSG_DONE]);
});

test('native > the descriptor of the namespace may be closed once the socket was asked for', async (t) => {
  const netns = await testNetns(t);
  netns.ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  const fd = openSync(netns.path, 'r');
  const pending = openSocket(0, { netnsFd: fd });
  closeFd(fd);
  const socket = await pending;
  t.teardown(() => closeSocket(socket));
  t.is(messageTypes(await execute(socket, dumpLinks())).length, 4);
});

test('native > a dump larger than a datagram arrives whole', async (t) => {
  const netns = await testNetns(t);
  const socket = await open(t, 0, { netnsFd: netns.fd });
  const pairs = 60;
  const lines = Array.from({ length: pairs }, (_, i) => `link add a${i} type veth peer b${i}\n`);
  execFileSync('ip', ['-n', netns.name, '-batch', '-'], { input: lines.join('') });
  const datagrams = await execute(socket, dumpLinks());
  t.true(datagrams.length > 2);
  t.is(messageTypes(datagrams).filter((type) => type === RTM_NEWLINK).length, 1 + 2 * pairs);
});

test('native > a request that nobody has to answer gives nothing', async (t) => {
  const socket = await open(t, 0);
  const noop = new Uint8Array(16);
  noop.set([16, 0, 0, 0, 1, 0, 1, 0]);
  t.deepEqual(await execute(socket, noop), []);
});

test('native > a closed socket is EBADF, and closing twice is fine', async (t) => {
  const socket = await openSocket(0);
  closeSocket(socket);
  closeSocket(socket);
  await t.throwsAsync(execute(socket, dumpLinks()), {
    code: 'EBADF',
    message: /^EBADF: .*netlink/,
  });
  t.throws(() => openMonitor(socket, () => undefined, fail), { code: 'EBADF' });
});

test('native > a socket closed under a request in flight still gives its answer', async (t) => {
  const socket = await openSocket(0);
  const answer = execute(socket, dumpLinks());
  closeSocket(socket);
  t.is(messageTypes(await answer).at(-1), NLMSG_DONE);
});

test('native > a second request on a busy socket is EBUSY, and the first is not disturbed', async (t) => {
  const socket = await open(t, 0);
  const first = execute(socket, dumpLinks());
  await t.throwsAsync(execute(socket, dumpLinks()), { code: 'EBUSY' });
  t.is(messageTypes(await first).at(-1), NLMSG_DONE);
  t.is(messageTypes(await execute(socket, dumpLinks())).at(-1), NLMSG_DONE);
});

test('native > what the kernel refuses is an error with code, errno and syscall', async (t) => {
  const socket = await open(t, 0, { receiveBuffer: 4096 });
  const notNetns = openSync('/proc/self/status', 'r');
  t.teardown(() => closeFd(notNetns));
  const cases = [
    { run: () => openSocket(31), code: 'EPROTONOSUPPORT', errno: -93, syscall: 'socket' },
    {
      run: () => openSocket(0, { groups: [9999] }),
      code: 'EINVAL',
      errno: -22,
      syscall: 'setsockopt',
    },
    { run: () => openSocket(0, { netnsFd: 99_999 }), code: 'EBADF', errno: -9, syscall: 'fcntl' },
    {
      run: () => openSocket(0, { netnsFd: notNetns }),
      code: 'EINVAL',
      errno: -22,
      syscall: 'setns',
    },
    {
      run: () => execute(socket, new Uint8Array(1 << 20)),
      code: 'EMSGSIZE',
      errno: -90,
      syscall: 'sendto',
    },
  ];
  for (const { run, ...expected } of cases) {
    const error = await t.throwsAsync<NodeJS.ErrnoException>(run, undefined, expected.code);
    t.like(error, expected);
    t.true(error?.message.startsWith(`${expected.code}: `), error?.message);
  }
});

test('native > acks that found no room are ENOBUFS, and the next request starts clean', async (t) => {
  const socket = await open(t, 0, { receiveBuffer: 2304 });
  const many = new Uint8Array(32 * 100);
  // RTM_GETLINK of a link that is not there: an ack each.
  for (let i = 0; i < 100; i++) {
    const request = dumpLinks();
    request.set([5, 0], 6);
    request[20] = 0xff;
    request[21] = 0xff;
    many.set(request, 32 * i);
  }
  await t.throwsAsync(execute(socket, many), { code: 'ENOBUFS' });
  t.deepEqual(messageTypes(await execute(socket, many.subarray(0, 32))), [2]);
});

test('native > a monitor sees a link made in its namespace, and lets go of the socket when closed', async (t) => {
  const netns = await testNetns(t);
  const socket = await open(t, 0, { netnsFd: netns.fd, groups: [RTNLGRP_LINK] });
  const seen: Uint8Array[] = [];
  const monitor = openMonitor(socket, (datagram) => seen.push(datagram ?? new Uint8Array()), fail);
  await t.throwsAsync(execute(socket, dumpLinks()), { code: 'EBUSY' });
  t.throws(() => openMonitor(socket, () => undefined, fail), { code: 'EBUSY' });
  netns.ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  await until('both ends', () => seen.length >= 2);
  t.true(messageTypes(seen).every((type) => type === RTM_NEWLINK));
  t.true(Buffer.from(seen[1]!).includes('v0\0') || Buffer.from(seen[0]!).includes('v0\0'));
  monitor.close();
  monitor.close();
  t.is(messageTypes(await execute(socket, dumpLinks())).at(-1), NLMSG_DONE);
});

test('native > a monitor closed by its own callback calls no more', async (t) => {
  const netns = await testNetns(t);
  const socket = await open(t, 0, { netnsFd: netns.fd, groups: [RTNLGRP_LINK] });
  const marker = await open(t, 0, { netnsFd: netns.fd, groups: [RTNLGRP_LINK] });
  let calls = 0;
  let marked = 0;
  const monitor = openMonitor(
    socket,
    () => {
      calls++;
      monitor.close();
    },
    fail,
  );
  openMonitor(marker, () => void marked++, fail);
  netns.ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  await until('the marker', () => marked >= 2);
  t.is(calls, 1);
});

test('native > a monitor that was overrun says so and reads on', async (t) => {
  const netns = await testNetns(t);
  const options = { netnsFd: netns.fd, groups: [RTNLGRP_LINK], receiveBuffer: 4096 };
  const socket = await open(t, 0, options);
  const events: (Uint8Array | undefined)[] = [];
  openMonitor(socket, (datagram) => events.push(datagram), fail);
  // The event loop stands still meanwhile.
  for (let i = 0; i < 8; i++) netns.ip('link', 'add', `a${i}`, 'type', 'veth', 'peer', `b${i}`);
  await until('the overrun', () => events.includes(undefined));
  const before = events.length;
  netns.ip('link', 'set', 'a0', 'up');
  await until('an event after it', () => events.slice(before).some((event) => event));
  t.true(events.length > before);
});

test('native > arguments that make no sense are refused before the kernel sees them', async (t) => {
  await t.throwsAsync(openSocket(-1), { instanceOf: RangeError });
  await t.throwsAsync(openSocket(0, { groups: [0] }), { instanceOf: RangeError });
  await t.throwsAsync(openSocket(0, { netnsFd: 1.5 }), { instanceOf: RangeError });
  await t.throwsAsync(openSocket(0, { receiveBuffer: 0 }), { instanceOf: RangeError });
  const nothing = {} as NativeSocket;
  await t.throwsAsync(execute(nothing, dumpLinks()), { instanceOf: TypeError });
  t.throws(() => openMonitor(nothing, () => undefined, fail), { instanceOf: TypeError });
  t.throws(() => closeSocket(nothing), { instanceOf: TypeError });
});
