import type { Status } from '../control-api/index.js';
import { type Io, paint } from './io.js';
import { printable } from './table.js';

/** The daemon's status for people: a line for each part, then one for each thing that is wrong. */
export function statusText(status: Status, io: Io): string {
  const { host, version, uptimeSec, store, docker, degraded, notes = [] } = status;
  const reach = (reachable: boolean): string =>
    reachable ? 'reachable' : paint(io, 'red', 'not reachable');
  const parts: readonly (readonly [string, string])[] = [
    ['host', `${host.name} (${host.id})`],
    ['daemon', `weft ${version}, up ${duration(uptimeSec)}`],
    ['underlay', underlayText(host)],
    ['store', `${storeText(store)}, ${reach(store.reachable)} since ${moment(store.since)}`],
    ['docker', [docker.version, reach(docker.reachable)].filter(Boolean).join(', ')],
    ['networks', `${status.networks} on this host`],
    ['endpoints', `${status.endpoints} on this host`],
    [
      'health',
      degraded.length === 0 ? paint(io, 'green', 'good') : paint(io, 'yellow', 'degraded'),
    ],
  ];
  const lines = [...degraded, ...notes].map(
    ({ code, text, since }) => `  ${printable(`${text} (${code}, since ${moment(since)})`)}\n`,
  );
  return parts.map(([name, text]) => `${name.padEnd(9)}  ${text}\n`).join('') + lines.join('');
}

function underlayText({ vtep, underlayLink, mtu, reason }: Status['host']): string {
  if (vtep === undefined) return `none: ${printable(reason)}`;
  const where = underlayLink === undefined ? vtep : `${vtep} on ${underlayLink}`;
  const size = mtu === undefined ? '' : `, MTU ${mtu}`;
  return `${where}${size}: ${printable(reason)}`;
}

function storeText({ kind, address }: Status['store']): string {
  return address === undefined ? kind : `${kind} at ${printable(address)}`;
}

/** "2026-05-04 08:00:01 UTC"; what is no time is shown as it came. */
export function moment(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return printable(iso);
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** The two largest units that count: "1 d 2 h", "45 s". */
export function duration(sec: number): string {
  const whole = Math.floor(sec);
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ] as const;
  const first = parts.findIndex(([value]) => value > 0);
  if (first === -1) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}
