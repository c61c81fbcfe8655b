import test from 'ava';
import { lineDifference } from '../../../src/cli/line-difference.js';

test('line difference > names what goes and what comes, and nothing of what stays', (t) => {
  t.deepEqual(lineDifference('a\nb\nc\n', 'a\nx\nc\nd\n'), ['- b', '+ x', '+ d']);
  t.deepEqual(lineDifference('', 'a\nb\n'), ['+ a', '+ b']);
  t.deepEqual(lineDifference('a\nb\n', 'a\nb\n'), []);
});
