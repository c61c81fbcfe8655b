import test from 'ava';
import { EventLog } from '../../../src/daemon/event-log.js';
import { createLog } from '../../../src/daemon/log.js';

const log = createLog({ level: 'error', format: 'json' });

test('event log > tells what came after an id, oldest first', async (t) => {
  const events = new EventLog(log, () => new Date(1000));
  events.add({ code: 'A', text: 'a happened' });
  events.add({ code: 'B', text: 'b failed', level: 'warn', network: 'web' }, new Error('why'));
  const [first, second] = await events.after(0, 0);
  t.like(first, { code: 'A', text: 'a happened', level: 'info', at: '1970-01-01T00:00:01.000Z' });
  t.like(second, { code: 'B', text: 'b failed: why', level: 'warn', network: 'web' });
  t.deepEqual(await events.after(first!.id, 0), [second!]);
  t.deepEqual(await events.after(second!.id, 0), []);
});

test('event log > ids of a later start are greater', async (t) => {
  const idOf = async (ms: number): Promise<number> => {
    const events = new EventLog(log, () => new Date(ms));
    events.add({ code: 'A', text: 'a' });
    return (await events.after(0, 0))[0]!.id;
  };
  t.true((await idOf(2000)) > (await idOf(1000)));
});

test('event log > keeps the last thousand', async (t) => {
  const events = new EventLog(log);
  for (let i = 0; i < 1200; i += 1) events.add({ code: 'A', text: `${i}` });
  const kept = await events.after(0, 0);
  t.is(kept.length, 1000);
  t.is(kept[0]!.text, '200');
});

test('event log > who waits hears of the next event at once, and of the end', async (t) => {
  const events = new EventLog(log);
  const next = events.after(0, 60_000);
  events.add({ code: 'A', text: 'a' });
  t.is((await next).length, 1);
  const [{ id } = { id: 0 }] = await next;
  const last = events.after(id, 60_000);
  await events[Symbol.asyncDispose]();
  t.deepEqual(await last, []);
  t.deepEqual(await events.after(id, 60_000), [], 'nothing comes after the end');
});

test('event log > waits no longer than told', async (t) => {
  t.deepEqual(await new EventLog(log).after(0, 10), []);
});
