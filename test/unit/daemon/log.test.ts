import { Writable } from 'node:stream';
import test from 'ava';
import { createLog } from '../../../src/daemon/log.js';
import { AppError } from '../../../src/util/index.js';

function capture(): { readonly output: Writable; readonly lines: string[] } {
  const lines: string[] = [];
  const output = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return { output, lines };
}

test('log > text is one line of time, level, component, sentence and values', (t) => {
  const { output, lines } = capture();
  const log = createLog({ level: 'info', format: 'text' }, output).child({ component: 'driver' });
  const err = new AppError({ code: 'POOL_FULL' }, 'pool "a b" is full');
  log.warn({ network: 'web', vni: 5, err }, 'endpoint not created');
  log.debug('not this');
  t.is(lines.length, 1);
  t.regex(
    lines[0]!,
    /^\d{4}-\d\d-\d\dT[\d:.]+Z warn {2}driver {3}endpoint not created network=web vni=5 err="pool \\"a b\\" is full"\n$/,
  );
});

test('log > json carries the code of an error, and a stack only for what nobody foresaw', (t) => {
  const { output, lines } = capture();
  const log = createLog({ level: 'info', format: 'json' }, output);
  log.error({ err: new AppError({ code: 'X' }, 'x') }, 'one');
  log.error({ err: new TypeError('bug') }, 'two');
  const [one, two] = lines.map((line) => JSON.parse(line) as { err: Record<string, string> });
  t.deepEqual(one!.err, { code: 'X', message: 'x' });
  t.is(two!.err['message'], 'bug');
  t.regex(two!.err['stack']!, /log\.test/);
});
