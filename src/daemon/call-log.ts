import type { CallReport } from '../plugin-api/index.js';
import type { Log } from './log.js';

/** A call that takes longer than this is worth a line even when it went well. */
const SLOW_MS = 1000;

/** Calls that Docker makes for each look at a network; they say nothing. */
const QUIET = new Set(['NetworkDriver.EndpointOperInfo', 'Plugin.Activate']);

/** One line per call of Docker's: refused calls name the user's mistake, failed ones are ours. */
export function logCall(log: Log): (report: CallReport) => void {
  return ({ error, ...report }) => {
    const durationMs = Math.round(report.durationMs * 10) / 10;
    const fields = { ...report, durationMs, ...(error === undefined ? {} : { err: error }) };
    if (report.outcome === 'refused') log.warn(fields, 'call refused');
    else if (report.outcome !== 'ok') log.error(fields, 'call failed');
    else if (report.durationMs > SLOW_MS) log.warn(fields, 'call was slow');
    else if (QUIET.has(report.method)) log.trace(fields, 'call');
    else log.debug(fields, 'call');
  };
}
