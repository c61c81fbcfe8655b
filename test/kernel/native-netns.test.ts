import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import test from 'ava';
import {
  closeFd,
  closeSocket,
  bindNetns,
  createNetns,
  currentNetnsFd,
  deleteNetns,
  netnsIno,
  openNetns,
  openSocket,
  writeInNetns,
} from '../../src/netlink/native.js';
import { netnsPath, nodeEnv, openFds, testNetns } from '../helpers/native.js';

const nativeUrl = new URL('../../src/netlink/native.js', import.meta.url).href;

function mountsUnder(folder: string): number {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.filter((line) => line.split(' ')[4]?.startsWith(folder)).length;
}

test('netns > a namespace that is created can be used by ip netns, and one that is deleted is gone', async (t) => {
  const path = netnsPath();
  const name = basename(path);
  await createNetns(path);
  t.true(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).includes(name));
  const inside = execFileSync('ip', ['netns', 'exec', name, 'readlink', '/proc/self/ns/net']);
  const fd = openNetns(path);
  t.is(inside.toString().trim(), `net:[${netnsIno(fd)}]`);
  closeFd(fd);
  await deleteNetns(path);
  t.false(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).includes(name));
  t.false(existsSync(path));
});

test('netns > a namespace that lost its file can have one again', async (t) => {
  const path = netnsPath();
  await createNetns(path);
  const fd = openNetns(path);
  t.teardown(() => {
    closeFd(fd);
  });
  await t.throwsAsync(bindNetns(fd, path), { code: 'EEXIST' });
  await deleteNetns(path);
  await bindNetns(fd, path);
  t.is(BigInt(statSync(path).ino), netnsIno(fd));
  await deleteNetns(path);
  await t.throwsAsync(bindNetns(fd, '/nowhere/at/all'), { code: 'ENOENT' });
});

test('netns > what is there already is EEXIST and stays; what is not there is ENOENT', async (t) => {
  const netns = await testNetns(t);
  await t.throwsAsync(createNetns(netns.path), { code: 'EEXIST' });
  t.is(BigInt(statSync(netns.path).ino), netnsIno(netns.fd));
  await t.throwsAsync(deleteNetns(netnsPath()), { code: 'ENOENT' });
  t.throws(() => openNetns(netnsPath()), { code: 'ENOENT' });
  await t.throwsAsync(createNetns('/nowhere/at/all'), {
    code: 'ENOENT',
    message: /'\/nowhere\/at'/,
  });
});

test('netns > a file that is no network namespace is refused', (t) => {
  for (const path of ['/proc/self/ns/mnt', '/proc/self/status', '/dev/null']) {
    t.throws(() => openNetns(path), { code: 'EINVAL' }, path);
  }
  t.throws(() => openNetns('relative'), { instanceOf: TypeError });
});

test('netns > an empty file left by a reboot can be deleted', async (t) => {
  const path = netnsPath();
  writeFileSync(path, '');
  await deleteNetns(path);
  t.false(existsSync(path));
});

test('netns > many created at once in a new folder share one mount, and each is another namespace', async (t) => {
  const folder = join(mkdtempSync('/run/weft-native-'), 'netns');
  t.teardown(() => rmSync(join(folder, '..'), { recursive: true }));
  const paths = Array.from({ length: 12 }, (_, i) => join(folder, `n${i}`));
  await Promise.all(paths.map(createNetns));
  t.is(mountsUnder(folder), 1 + paths.length);
  t.is(new Set(paths.map((path) => statSync(path).ino)).size, paths.length);
  await Promise.all(paths.map(deleteNetns));
  t.deepEqual(readdirSync(folder), []);
  execFileSync('umount', [folder]);
  t.is(mountsUnder(folder), 0);
});

test('netns > one created or deleted here is so in mount namespaces split off before', async (t) => {
  const anchor = await testNetns(t);
  const other = spawn('unshare', ['-m', '--propagation', 'slave', 'sh', '-c', 'echo; read _'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(other.stdout, 'data');
  t.teardown(() => other.stdin.end());
  const path = netnsPath();
  await createNetns(path);
  const stat = ['stat', '-f', '-c', '%T', anchor.path, path];
  const seen = () =>
    execFileSync('nsenter', ['-m', '-t', `${other.pid}`, ...stat], { stdio: 'pipe' });
  t.is(seen().toString(), 'nsfs\nnsfs\n');
  await deleteNetns(path);
  t.throws(seen, { message: /No such file/ });
});

test('netns > a creation that fails halfway leaves no file and no mount', (t) => {
  const path = netnsPath();
  const mounts = mountsUnder('/run/netns');
  const code = `import(${JSON.stringify(nativeUrl)})
    .then((native) => native.createNetns(${JSON.stringify(path)}))
    .catch((error) => console.log(error.code, error.syscall))`;
  // Root without CAP_SYS_ADMIN may write files but neither mount nor unshare.
  const args = [
    '--bounding-set',
    '-sys_admin',
    '--inh-caps',
    '-sys_admin',
    process.execPath,
    '-e',
    code,
  ];
  const output = execFileSync('setpriv', args, { encoding: 'utf8', env: nodeEnv });
  t.regex(output, /^EPERM (mount|unshare)/);
  t.false(existsSync(path));
  t.is(mountsUnder('/run/netns'), mounts);
});

test('netns > a sysctl is written inside the namespace and nowhere else', async (t) => {
  const [one, two] = [await testNetns(t), await testNetns(t)];
  const key = 'net.ipv4.conf.lo.arp_ignore';
  await writeInNetns(one.fd, '/proc/sys/net/ipv4/conf/lo/arp_ignore', '2');
  const read = (name: string) =>
    execFileSync('ip', ['netns', 'exec', name, 'sysctl', '-n', key], { encoding: 'utf8' }).trim();
  t.is(read(one.name), '2');
  t.is(read(two.name), '0');
});

test('netns > a sysctl that is not there, or not of a namespace, or a wrong value is an error', async (t) => {
  const netns = await testNetns(t);
  const write = (path: string, data = '1') => writeInNetns(netns.fd, path, data);
  await t.throwsAsync(write('/proc/sys/net/ipv4/conf/none/arp_ignore'), { code: 'ENOENT' });
  await t.throwsAsync(write('/proc/sys/net/ipv4/ip_forward', 'maybe'), { code: 'EINVAL' });
  await t.throwsAsync(write('/proc/sys/net/../kernel/panic'), { instanceOf: TypeError });
  await t.throwsAsync(write('/proc/sys/kernel/panic'), { instanceOf: TypeError });
});

test('netns > no thread of this process ever leaves its namespace', async (t) => {
  const netns = await testNetns(t);
  const sockets = await Promise.all(
    Array.from({ length: 16 }, () => openSocket(0, { netnsFd: netns.fd })),
  );
  await Promise.all(
    Array.from({ length: 16 }, () => writeInNetns(netns.fd, '/proc/sys/net/ipv4/ip_forward', '1')),
  );
  const own = currentNetnsFd();
  for (const task of readdirSync('/proc/self/task')) {
    t.is(readlinkSync(`/proc/self/task/${task}/ns/net`), `net:[${netnsIno(own)}]`, task);
  }
  closeFd(own);
  for (const socket of sockets) closeSocket(socket);
});

test('netns > a thousand times of everything leave no descriptor open', async (t) => {
  const netns = await testNetns(t);
  const cycle = async () => {
    const fd = openNetns(netns.path);
    const socket = await openSocket(0, { netnsFd: fd });
    closeFd(fd);
    closeSocket(socket);
    await t.throwsAsync(openSocket(31, { netnsFd: netns.fd }));
  };
  await cycle();
  const before = openFds();
  for (let i = 0; i < 1000; i++) await cycle();
  t.is(openFds(), before);
});
