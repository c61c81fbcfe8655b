/**
 * Loaded into weftd before its own code (`node --import`): its wall clock is off by the seconds in a file, which may change
 * while it runs, as when somebody sets the clock. Timers and the steady clock go on as ever, as they do then.
 */
import { readFileSync } from 'node:fs';

const file = process.env['CHAOS_CLOCK_FILE'];
const RealDate = Date;
const realNow = Date.now.bind(Date);
let offsetMs = 0;
let readAt = -Infinity;

function offset(): number {
  const now = performance.now();
  if (file === undefined || now - readAt < 200) return offsetMs;
  readAt = now;
  try {
    offsetMs = Number(readFileSync(file, 'utf8')) * 1000 || 0;
  } catch {
    offsetMs = 0;
  }
  return offsetMs;
}

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) =>
    args.length === 0
      ? Reflect.construct(target, [realNow() + offset()], newTarget)
      : Reflect.construct(target, args, newTarget),
  get: (target, key) =>
    key === 'now' ? () => realNow() + offset() : (Reflect.get(target, key) as unknown),
});
