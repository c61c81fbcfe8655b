import { hasCode } from '../util/index.js';

/** What the command answers its shell with; `weft --help` lists them. */
export const exitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
} as const;

export function exitCodeOf(error: unknown): number {
  const unreachable = hasCode(error, 'DAEMON_UNREACHABLE') || hasCode(error, 'DAEMON_FORBIDDEN');
  return unreachable ? exitCode.unreachable : exitCode.failed;
}
