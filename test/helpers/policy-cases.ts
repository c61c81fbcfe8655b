/**
 * The truth table: policies as people write them, and what then passes among nine containers. Projects x, y and z have three each, a, b
 * and c, all of a project on one host; x-a has 10.83.0.11, y-b 10.83.1.12.
 */
export interface Party {
  readonly project: string;
  readonly service: string;
}

export interface Probe {
  readonly from: Party;
  readonly to: Party;
  readonly port: number;
  readonly protocol: string;
}

export interface PolicyCase {
  readonly title: string;
  /** The file, without the lines that all of them have. */
  readonly text: string;
  readonly passes: (probe: Probe) => boolean;
}

const is = ({ project, service }: Party, name: string): boolean => `${project}-${service}` === name;
const ONE = '{ project: x, service: a }';
const closed = 'name: closed\nendpoints: {}\ningress: []\n';
const open = 'name: open\nendpoints: {}\ningress: [{ action: allow }]\n';

/** A policy about x-a that receives by these rules. */
const db = (...rules: readonly string[]): string =>
  `name: db\nendpoints: ${ONE}\ningress: [${rules.join(', ')}]\n`;
const from = (peers: string): string => `{ action: allow, from: [${peers}] }`;
/** A policy about everybody who receives by these rules. */
const all = (...rules: readonly string[]): string =>
  `name: all\nendpoints: {}\ningress: [${rules.join(', ')}]\n`;
const ports = (list: string): string => `{ action: allow, ports: [${list}] }`;

const of = (title: string, text: string | readonly string[], passes: PolicyCase['passes']) => ({
  title,
  text: [text].flat().join('---\n'),
  passes,
});

export const policyCases: readonly PolicyCase[] = [
  of('nothing is received', closed, () => false),
  of('nothing is sent', 'name: mute\nendpoints: {}\negress: []\n', () => false),
  of(
    'nothing is received or sent',
    'name: off\nendpoints: {}\ningress: []\negress: []\n',
    () => false,
  ),
  of('only the selected are isolated', db(), ({ to }) => !is(to, 'x-a')),
  of(
    'peers by label, in a list',
    db(from('{ labels: { pod: { in: [b, c] } } }')),
    (probe) => !is(probe.to, 'x-a') || probe.from.service !== 'a',
  ),
  of(
    'peers by label, not in a list',
    db(from('{ labels: { pod: { not-in: [b] } } }')),
    (probe) => !is(probe.to, 'x-a') || probe.from.service !== 'b',
  ),
  of(
    'a label that nobody has',
    [
      db(from('{ labels: { no: { exists: false, not-in: [v] } } }')),
      `name: exists\nendpoints: { project: y }\ningress: [${from('{ labels: { no: { exists: true } } }')}]\n`,
    ],
    ({ to }) => to.project !== 'y',
  ),
  of(
    'peers of another project only',
    `name: p\nendpoints: { project: x }\ningress: [${from('{ project: y }')}]\n`,
    (probe) => probe.to.project !== 'x' || probe.from.project === 'y',
  ),
  of(
    'peers of every project',
    db(from('{ labels: { com.docker.compose.project: { exists: true } } }')),
    () => true,
  ),
  of(
    'peers by both project and service',
    db(from('{ project: y, service: b }')),
    (probe) => !is(probe.to, 'x-a') || is(probe.from, 'y-b'),
  ),
  of(
    'peers by either project or service',
    db(from('{ project: y }, { service: b }')),
    (probe) => !is(probe.to, 'x-a') || probe.from.project === 'y' || probe.from.service === 'b',
  ),
  of(
    'peers by name and by host',
    db(from('{ names: [y-?], hosts: [h2] }')),
    (probe) => !is(probe.to, 'x-a') || probe.from.project === 'y',
  ),
  of(
    'one port of one protocol',
    all(ports('tcp/80')),
    ({ port, protocol }) => port === 80 && protocol === 'tcp',
  ),
  of(
    'a UDP rule does not allow TCP, nor SCTP',
    all(ports('udp')),
    ({ protocol }) => protocol === 'udp',
  ),
  of('SCTP is not mistaken for TCP', all(ports('sctp')), ({ protocol }) => protocol === 'sctp'),
  of(
    'a range of ports',
    all(ports('udp/81-90')),
    ({ port, protocol }) => port === 81 && protocol === 'udp',
  ),
  of(
    'a named port to receive on',
    all(ports('tcp/serve-80')),
    ({ port, protocol }) => port === 80 && protocol === 'tcp',
  ),
  of(
    'a named port to send to, which is of its own protocol',
    'name: p\nendpoints: {}\negress: [{ action: allow, ports: [udp/serve-81, tcp/serve-81] }]\n',
    ({ port, protocol }) => port === 81 && protocol === 'udp',
  ),
  of('echo requests only', all(ports('icmp/8, icmpv6/128')), ({ protocol }) => protocol === 'icmp'),
  of(
    'stacked policies add what they allow',
    [
      closed,
      `name: p\nendpoints: { service: a }\ningress: [${ports('tcp/80')}]\n`,
      `name: q\nendpoints: ${ONE}\ningress: [${ports('tcp/81')}]\n`,
    ],
    ({ to, port, protocol }) =>
      protocol === 'tcp' && to.service === 'a' && (port === 80 || to.project === 'x'),
  ),
  of('allowing all opens what another policy closed', [closed, open], () => true),
  of(
    'deny beats allow',
    [open, `name: not-y\nendpoints: ${ONE}\ningress: [{ action: deny, from: [{ project: y }] }]\n`],
    (probe) => !is(probe.to, 'x-a') || probe.from.project !== 'y',
  ),
  of(
    'deny beats allow, by address',
    [
      open,
      `name: not-y\nendpoints: {}\ningress: [{ action: deny, from: [{ blocks: [{ prefix: 10.83.1.0/24 }] }] }]\n`,
    ],
    (probe) => probe.from.project !== 'y',
  ),
  of(
    "the sender's side denies what the receiver's allows",
    [open, `name: mute\nendpoints: ${ONE}\negress: [{ action: allow, to: [{ project: y }] }]\n`],
    (probe) => !is(probe.from, 'x-a') || probe.to.project === 'y',
  ),
  of(
    'a whole project may not send to another',
    `name: p\nendpoints: { project: x }\negress: [{ action: deny, to: [{ project: z }] }, { action: allow }]\n`,
    (probe) => probe.from.project !== 'x' || probe.to.project !== 'z',
  ),
  of(
    'both directions in one policy',
    `name: p\nendpoints: ${ONE}\ningress: [${ports('tcp/80')}]\negress: [${ports('tcp/80')}]\n`,
    (probe) =>
      (!is(probe.from, 'x-a') && !is(probe.to, 'x-a')) ||
      (probe.port === 80 && probe.protocol === 'tcp'),
  ),
  of(
    'directions are independent',
    `name: p\nendpoints: ${ONE}\ningress: [{ action: allow }]\negress: []\n`,
    (probe) => !is(probe.from, 'x-a'),
  ),
  of(
    'a block',
    'name: p\nendpoints: {}\negress: [{ action: allow, to: [{ blocks: [{ prefix: 10.83.1.0/24 }] }] }]\n',
    ({ to }) => to.project === 'y',
  ),
  of(
    'a block with an exception',
    'name: p\nendpoints: {}\negress: [{ action: allow, to: [{ blocks: [{ prefix: 10.83.0.0/16, except: [10.83.1.0/24] }] }] }]\n',
    ({ to }) => to.project !== 'y',
  ),
  of(
    'what one block excepts another may hold',
    [
      'name: p\nendpoints: {}\negress: [{ action: allow, to: [{ blocks: [{ prefix: 10.83.0.0/16, except: [10.83.1.0/24] }] }] }]\n',
      'name: q\nendpoints: {}\negress: [{ action: allow, to: [{ blocks: [{ prefix: 10.83.1.12/32 }] }] }]\n',
    ],
    ({ to }) => to.project !== 'y' || to.service === 'b',
  ),
  of(
    "an operator's deny beats the owner's allow, and isolates nobody",
    [
      db('{ action: allow }'),
      'name: op\ntier: operator\nendpoints: {}\ningress: [{ action: deny, from: [{ project: z }] }]\n',
    ],
    (probe) => probe.from.project !== 'z',
  ),
  of(
    "an operator's allow beats the owner's deny",
    [
      'name: none\nendpoints: {}\ningress: [{ action: deny }]\n',
      'name: op\ntier: operator\nendpoints: {}\ningress: [{ action: allow, ports: [tcp/80] }]\n',
    ],
    ({ port, protocol }) => port === 80 && protocol === 'tcp',
  ),
  of('a rule that logs decides nothing', db('{ action: log }'), ({ to }) => !is(to, 'x-a')),
];
