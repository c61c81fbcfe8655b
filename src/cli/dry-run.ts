/** What `weft policy apply --dry-run` says of containers that run. */
import type { AppliedPolicies } from '../control-api/index.js';
import { table } from './table.js';

export function flowsText({ flows = [], notLookedAt = 0 }: AppliedPolicies): string {
  const rest = notLookedAt > 0 ? `${notLookedAt} pairs of containers were not looked at.\n` : '';
  if (flows.length === 0)
    return `No flow between containers of this host's networks would change.\n${rest}`;
  return (
    table(
      [
        { title: 'NETWORK', value: ({ network }) => network },
        { title: 'FROM', value: ({ from }) => from },
        { title: 'TO', value: ({ to }) => to },
        { title: 'PORT', value: ({ port }) => port },
        { title: 'NOW', value: ({ before }) => before },
        { title: 'THEN', value: ({ after }) => after },
        { title: 'WHY', value: ({ why }) => why },
      ],
      flows,
    ) + rest
  );
}

/** Of the host that is asked: the others know theirs. */
export function connectionsText({ connections }: AppliedPolicies): string {
  if (!connections) return '';
  const { ending, goOn, more = 0, notLookedAt = 0 } = connections;
  const known = ending.reduce((sum, { count }) => sum + count, 0) + more;
  const counted = `Of the connections open on this host now, ${known} would end and ${goOn} go on.\n`;
  const rest = notLookedAt > 0 ? `${notLookedAt} were not looked at: too many.\n` : '';
  if (ending.length === 0) return counted + rest;
  const rows = table(
    [
      { title: 'NETWORK', value: ({ network }) => network },
      { title: 'FROM', value: ({ from }) => from },
      { title: 'TO', value: ({ to }) => to },
      { title: 'PORT', value: ({ port }) => port },
      { title: 'CONNECTIONS', value: ({ count }) => String(count) },
      { title: 'WHY', value: ({ why }) => why },
    ],
    ending,
  );
  const others = more > 0 ? `… and ${more} more.\n` : '';
  return counted + rows + others + rest;
}
