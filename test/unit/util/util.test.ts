import test from 'ava';
import {
  AppError,
  Backoff,
  Closer,
  KeyedMutex,
  hasCode,
  messageOf,
} from '../../../src/util/index.js';

test('closer > closes last first, goes on after a failure, and reports it', async (t) => {
  const order: number[] = [];
  const closer = new Closer();
  closer.defer(() => void order.push(1));
  closer.defer(() => {
    throw new Error('two failed');
  });
  closer.defer(async () => void order.push(3));
  await t.throwsAsync(closer.close(), { message: 'two failed' });
  t.deepEqual(order, [3, 1]);
  await t.notThrowsAsync(closer.close(), 'closing twice is fine');
});

test('keyed mutex > same key runs in order, a failure does not stop the next, other keys do not wait', async (t) => {
  const mutex = new KeyedMutex();
  const order: string[] = [];
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const first = mutex.run('a', async () => {
    await gate;
    order.push('a1');
    throw new Error('a1 failed');
  });
  const second = mutex.run('a', () => order.push('a2'));
  await mutex.run('b', () => order.push('b1'));
  release();
  await t.throwsAsync(first, { message: 'a1 failed' });
  await second;
  t.deepEqual(order, ['b1', 'a1', 'a2']);
});

test('backoff > doubles to its bound with jitter, and starts over', (t) => {
  const backoff = new Backoff({ minMs: 100, maxMs: 400, random: () => 1 });
  t.deepEqual(
    [1, 2, 3, 4].map(() => backoff.nextMs()),
    [100, 200, 400, 400],
  );
  backoff.reset();
  t.is(backoff.nextMs(), 100);
  t.is(new Backoff({ minMs: 100, maxMs: 400, random: () => 0 }).nextMs(), 50);
});

test('backoff > waiting ends with the reason of the abort', async (t) => {
  const aborter = new AbortController();
  setTimeout(() => aborter.abort(new Error('enough')), 5);
  const backoff = new Backoff({ minMs: 60_000, maxMs: 60_000 });
  await t.throwsAsync(backoff.wait(aborter.signal), { message: 'enough' });
});

test('errors > carry a code and a message for people', (t) => {
  const error = new AppError({ code: 'X', name: 'web' }, 'web is taken', { cause: 1 });
  t.true(hasCode(error, 'X'));
  t.false(hasCode(new Error('x'), 'X'));
  t.is(error.cause, 1);
  t.is(messageOf(error), 'web is taken');
  t.is(messageOf('text'), 'text');
});
