import test from 'ava';
import { allDone } from '../../../src/util/index.js';

test('allDone > waits for all, and then throws the first failure', async (t) => {
  let isDone = false;
  const slow = new Promise<void>((resolve) => {
    setTimeout(() => {
      isDone = true;
      resolve();
    }, 5);
  });
  const failed = Promise.reject(new Error('the first'));
  const later = slow.then(() => Promise.reject(new Error('a later one')));
  await t.throwsAsync(allDone([slow, later, failed]), { message: 'a later one' });
  t.true(isDone);
  await t.throwsAsync(allDone([failed, slow]), { message: 'the first' });
  await t.notThrowsAsync(allDone([slow, Promise.resolve()]));
});
