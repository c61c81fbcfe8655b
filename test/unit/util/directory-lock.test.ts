import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { DirectoryLock } from '../../../src/util/index.js';
import { tempDir } from '../../helpers/temp-dir.js';

const HOLDER = new URL('../../helpers/lock-holder.js', import.meta.url);

test('directory lock > is held by one at a time', async (t) => {
  await using dir = await tempDir();
  const first = await DirectoryLock.acquire(dir.path);
  await t.throwsAsync(DirectoryLock.acquire(dir.path), {
    code: 'DIRECTORY_IN_USE',
    message: new RegExp(`${dir.path} is in use by process ${process.pid}`),
  });
  await first[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
  t.deepEqual(await readdir(dir.path), []);
  await using _ = await DirectoryLock.acquire(dir.path);
  t.deepEqual(await readdir(dir.path), ['lock.1']);
});

test('directory lock > works below a path longer than a socket may have', async (t) => {
  await using dir = await tempDir();
  const path = join(dir.path, 'd'.repeat(120));
  await mkdir(path);
  await using _ = await DirectoryLock.acquire(path);
  await t.throwsAsync(DirectoryLock.acquire(path), { code: 'DIRECTORY_IN_USE' });
});

test('directory lock > holds against another process, and is free when that is killed', async (t) => {
  await using dir = await tempDir();
  const holder = fork(HOLDER, [dir.path], { stdio: 'ignore' });
  t.teardown(() => holder.kill('SIGKILL'));
  await once(holder, 'message');
  await t.throwsAsync(DirectoryLock.acquire(dir.path), {
    message: new RegExp(`process ${holder.pid};`),
  });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  await using _ = await DirectoryLock.acquire(dir.path);
  t.deepEqual(await readdir(dir.path), ['lock.2']);
});

test('directory lock > left behind by the dead, goes to exactly one of many', async (t) => {
  await using dir = await tempDir();
  const holder = fork(HOLDER, [dir.path], { stdio: 'ignore' });
  await once(holder, 'message');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const claims = Array.from({ length: 12 }, async () => DirectoryLock.acquire(dir.path));
  const results = await Promise.allSettled(claims);
  const won = results.filter((result) => result.status === 'fulfilled');
  t.is(won.length, 1);
  for (const { value } of won) await value[Symbol.asyncDispose]();
  t.deepEqual(await readdir(dir.path), []);
});
