import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { Loop, type LoopOptions, type Status } from '../../../src/reconcile/index.js';

const NEVER_MS = 3_600_000;

async function until(what: string, isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error(`not within a minute: ${what}`);
    await turn();
  }
}

/** A loop whose rounds are written down, and end when the test says so. */
function scripted(options: Partial<LoopOptions> = {}) {
  const rounds: { key: string; signal: AbortSignal; end: (error?: Error) => void }[] = [];
  const loop = new Loop({
    coalesceMs: 1,
    refreshMs: NEVER_MS,
    retry: { minMs: 1, maxMs: 4 },
    ...options,
    round: async (key, signal) =>
      new Promise((resolve, reject) => {
        const end = (error?: Error) => (error === undefined ? resolve() : reject(error));
        rounds.push({ key, signal, end });
      }),
  });
  return { loop, rounds };
}

test('loop > makes one round of many marks', async (t) => {
  const { loop, rounds } = scripted();
  loop.add('a');
  for (let i = 0; i < 10; i += 1) loop.mark('a');
  await until('a round', () => rounds.length > 0);
  rounds[0]!.end();
  await until('ok', () => loop.status('a')?.state === 'ok');
  await loop.close();
  t.is(rounds.length, 1);
});

test('loop > makes one more round for marks that came while one ran', async (t) => {
  const { loop, rounds } = scripted();
  loop.add('a');
  loop.mark('a');
  await until('a round', () => rounds.length === 1);
  loop.mark('a');
  loop.mark('a');
  await turn();
  t.is(rounds.length, 1, 'never two rounds of one key at a time');
  rounds[0]!.end();
  await until('a second round', () => rounds.length === 2);
  rounds[1]!.end();
  await loop.close();
  t.is(rounds.length, 2);
});

test('loop > runs keys side by side', async (t) => {
  const { loop, rounds } = scripted();
  for (const key of ['a', 'b']) {
    loop.add(key);
    loop.mark(key);
  }
  await until('two rounds', () => rounds.length === 2);
  t.deepEqual(rounds.map((r) => r.key).sort(), ['a', 'b']);
  for (const r of rounds) r.end();
  await loop.close();
});

test('loop > retries a failed round by itself, and says since when and how often', async (t) => {
  const told: Status[] = [];
  const { loop, rounds } = scripted({ onStatus: (_key, status) => told.push(status) });
  loop.add('a');
  loop.mark('a');
  for (let i = 0; i < 3; i += 1) {
    await until(`round ${i}`, () => rounds.length === i + 1);
    rounds[i]!.end(i < 2 ? new Error(`no ${i}`) : undefined);
  }
  await until('three statuses', () => told.length === 3);
  await loop.close();
  const [first, second, third] = told;
  t.like(first, { state: 'degraded', failures: 1, error: 'no 0' });
  t.like(second, { state: 'degraded', failures: 2, error: 'no 1' });
  t.is(first?.state === 'degraded' && first.since, second?.state === 'degraded' && second.since);
  t.is(third?.state, 'ok');
});

test('loop > does not hurry a retry because of marks', async (t) => {
  const { loop, rounds } = scripted({ retry: { minMs: NEVER_MS, maxMs: NEVER_MS } });
  loop.add('a');
  loop.mark('a');
  await until('a round', () => rounds.length === 1);
  loop.mark('a');
  rounds[0]!.end(new Error('no'));
  await until('degraded', () => loop.status('a')?.state === 'degraded');
  loop.mark('a');
  await new Promise((resolve) => void setTimeout(resolve, 20));
  t.is(rounds.length, 1);
  await loop.close();
});

test('loop > visits a key now and then though nothing happened', async (t) => {
  const { loop, rounds } = scripted({ refreshMs: 2 });
  loop.add('a');
  await until('a round', () => rounds.length === 1);
  rounds[0]!.end();
  await until('another', () => rounds.length === 2);
  rounds[1]!.end();
  await loop.close();
  t.pass();
});

test('loop > retries what failed outside of it', async (t) => {
  const { loop, rounds } = scripted();
  loop.add('a');
  loop.record('a', new Error('elsewhere'));
  t.like(loop.status('a'), { state: 'degraded', error: 'elsewhere' });
  await until('a round', () => rounds.length === 1);
  rounds[0]!.end();
  await until('ok', () => loop.status('a')?.state === 'ok');
  await loop.close();
});

test('loop > takes a good outcome from outside instead of its own retry', async (t) => {
  const { loop, rounds } = scripted({ retry: { minMs: 20, maxMs: 20 } });
  loop.add('a');
  loop.record('a', new Error('elsewhere'));
  loop.record('a');
  t.is(loop.status('a')?.state, 'ok');
  await new Promise((resolve) => void setTimeout(resolve, 40));
  t.is(rounds.length, 0);
  await loop.close();
});

test('loop > aborts and awaits the round of a key that is removed', async (t) => {
  const { loop, rounds } = scripted();
  loop.add('a');
  loop.mark('a');
  await until('a round', () => rounds.length === 1);
  let isGone = false;
  const removed = loop.remove('a').then(() => (isGone = true));
  t.true(rounds[0]!.signal.aborted);
  await turn();
  t.false(isGone);
  rounds[0]!.end(new Error('aborted'));
  await removed;
  t.is(loop.status('a'), undefined);
  loop.mark('a');
  await loop.close();
  t.is(rounds.length, 1);
});

test('loop > starts nothing once closed', async (t) => {
  const { loop, rounds } = scripted();
  loop.add('a');
  loop.mark('a');
  await loop.close();
  loop.add('b');
  loop.mark('b');
  await new Promise((resolve) => void setTimeout(resolve, 10));
  await loop.close();
  t.is(rounds.length, 0);
});
