import test from 'ava';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const heap = new URL('../../../src/util/heap.js', import.meta.url).href;

/** A process with a thread, both of which make and forget objects for a while; tells the size of both young generations, MiB. */
const program = `
  import { getHeapSpaceStatistics } from 'node:v8';
  import { Worker, isMainThread, parentPort } from 'node:worker_threads';
  const { SMALL_HEAP, keepHeapSmall, keepHeapSmallBeside } = await import('${heap}');
  const work = () => {
    let kept = [];
    for (let i = 0; i < 1_000_000; i += 1) {
      kept.push({ i, text: 'x' + i });
      if (kept.length > 200_000) kept = [];
    }
    return getHeapSpaceStatistics().find((s) => s.space_name === 'new_space').space_size / 2 ** 20;
  };
  if (isMainThread) {
    keepHeapSmall();
    const worker = new Worker(new URL(import.meta.url), { resourceLimits: SMALL_HEAP });
    keepHeapSmallBeside(worker);
    worker.once('online', () => setImmediate(() => console.log(work())));
    worker.once('message', (size) => console.log(size));
  } else parentPort.postMessage(work());
`;

test('heap > stays small in the process and in its threads, though a thread takes the flag back', async (t) => {
  const url = `data:text/javascript,${encodeURIComponent(program)}`;
  const args = ['--input-type=module', '-e', `await import(${JSON.stringify(url)})`];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const sizes = stdout.trim().split('\n').map(Number);
  t.is(sizes.length, 2);
  for (const size of sizes) t.true(size > 0 && size <= 4, `${size} MiB`);
});
