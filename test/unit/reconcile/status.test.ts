import test from 'ava';
import { joinErrors } from '../../../src/reconcile/index.js';

const errors = (count: number) => Array.from({ length: count }, (_, i) => new Error(`e${i}`));

test('joinErrors > shows ten errors and counts the rest', (t) => {
  t.is(joinErrors(errors(2)), 'e0; e1');
  t.is(joinErrors(errors(10)), 'e0; e1; e2; e3; e4; e5; e6; e7; e8; e9');
  t.true(joinErrors(errors(11)).endsWith('e9; and 1 more error'));
  t.true(joinErrors(errors(30)).endsWith('e9; and 20 more errors'));
});
