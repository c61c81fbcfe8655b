import test from 'ava';
import { exitCodeOf } from '../../../src/cli/exit-codes.js';
import { ControlError } from '../../../src/control-api/index.js';

for (const [error, code] of [
  [new ControlError({ code: 'DAEMON_UNREACHABLE', socket: 's' }, ''), 3],
  [new ControlError({ code: 'DAEMON_FORBIDDEN', socket: 's' }, ''), 3],
  [new ControlError({ code: 'DAEMON_REFUSED', status: 500 }, ''), 1],
  [new ControlError({ code: 'DAEMON_UNREADABLE', path: '/' }, ''), 1],
  [new Error('anything'), 1],
] as const) {
  test(`exit code > ${'code' in error ? error.code : error.message} is ${code}`, (t) => {
    t.is(exitCodeOf(error), code);
  });
}
