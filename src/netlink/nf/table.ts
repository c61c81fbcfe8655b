/** Tables as a whole: make one so, take it away, change a set in it, hear of changes. */
import { attrs } from '../attr.js';
import { string } from '../codec.js';
import { type Connection, NETLINK } from '../connection.js';
import { NetlinkError } from '../errors.js';
import { type Received } from '../message.js';
import { Monitor, type Overrun } from '../monitor.js';
import { headed } from '../struct.js';
import { commit } from './commit.js';
import { type Key, keyFromBytes } from './data-type.js';
import { elementForm, tableForm } from './form.js';
import { delElements, delTable, newElements, someTable } from './message.js';
import { isThere, observeElements, observeTable } from './observe.js';
import { differenceOf } from './difference.js';
import { planTable } from './plan.js';
import { type ElementSpec, type SetSpec, type TableRef, type TableSpec } from './spec.js';
import { FAMILY, type NfFamily, SUBSYSTEM, nfgenmsg } from './wire.js';

/**
 * Makes the table hold exactly this, in one step for every packet, and answers whether there was anything to do. Compares
 * with the kernel's dumps first and sends only the difference: counters elsewhere in the table count on.
 *
 * `conn` is one of NETLINK.NETFILTER. Throws what the kernel refuses (ENOENT for a device that is not there); then
 * nothing has changed.
 */
export async function ensureTable(conn: Connection, spec: TableSpec): Promise<boolean> {
  const desired = tableForm(spec);
  const changes = planTable(desired, await observeTable(conn, spec));
  await commit(conn, changes);
  return changes.length > 0;
}

/** Makes the table anew without a look at what is there. */
export async function replaceTable(conn: Connection, spec: TableSpec): Promise<void> {
  const fresh = planTable(tableForm(spec), undefined);
  try {
    // After a deletion, even of nothing, whoever asks for the namespace's tables next waits up to 15 ms for the kernel: iptables, mostly.
    await commit(conn, fresh);
  } catch (error) {
    if (!(error instanceof NetlinkError && error.code === 'EEXIST')) throw error;
    // Made first, so that there is one to delete.
    await commit(conn, [someTable(spec), delTable(spec), ...fresh]);
  }
}

/**
 * Makes `after` of a table that is `before`, in one step, without a look at it: costs what differs. What is the same object in both is
 * taken to be the same. Answers whether anything differed. ENOENT, EEXIST or EBUSY when the table was not as said; then nothing has changed.
 */
export async function changeTable(
  conn: Connection,
  before: TableSpec,
  after: TableSpec,
): Promise<boolean> {
  const [from, to] = differenceOf(before, after);
  const changes = planTable(tableForm(to), tableForm(from));
  await commit(conn, changes);
  return changes.length > 0;
}

/** Deletes the table and all in it; fine when there is none. */
export async function deleteTable(conn: Connection, table: TableRef): Promise<void> {
  try {
    await commit(conn, [delTable(table)]);
  } catch (error) {
    if (!(error instanceof NetlinkError && error.code === 'ENOENT')) throw error;
  }
}

/** What becomes of one set. */
export interface ElementChange {
  readonly set: SetSpec;
  readonly add?: readonly ElementSpec[];
  readonly delete?: readonly ElementSpec[];
}

/**
 * Deletes and adds elements in one step. ENOENT for a set that is not there or, deleting, an element; what is there
 * already can be added again.
 */
export async function changeElements(
  conn: Connection,
  table: TableRef,
  changes: readonly ElementChange[],
): Promise<void> {
  const messages = changes.flatMap(({ set, add = [], delete: gone = [] }) => {
    const forms = (elements: readonly ElementSpec[]) => elements.map((e) => elementForm(set, e));
    const { name } = set;
    return [...delElements(table, name, forms(gone)), ...newElements(table, name, forms(add))];
  });
  await commit(conn, messages);
}

/** Whether there is such a table, whatever it holds. */
export async function hasTable(conn: Connection, table: TableRef): Promise<boolean> {
  return isThere(conn, table);
}

/** The keys of a set in the kernel; none when there is no such set. */
export async function readElements(
  conn: Connection,
  table: TableRef,
  set: SetSpec,
): Promise<readonly Key[]> {
  const elements = await observeElements(conn, table, set.name).catch((error: unknown) => {
    if (error instanceof NetlinkError && error.code === 'ENOENT') return [];
    throw error;
  });
  return elements.map(({ key }) => keyFromBytes(set.type, key));
}

const familyNames = new Map(
  Object.entries(FAMILY).map(([name, number]) => [number as number, name as NfFamily]),
);

/** Something in this table, or the table itself, was made, changed or deleted. */
export interface TableEvent extends TableRef {
  readonly type: 'table';
  /** Port of the socket that did it, see {@link Connection.port}. */
  readonly by: number;
}

/** In messages of every kind about a table the first attribute is its name. */
const anyMessage = headed(nfgenmsg, attrs('NFTA', { table: [1, string] }));

/** One notification; undefined for what is about no table that we know (NFT_MSG_NEWGEN). Throws MALFORMED. */
export function decodeTableEvent(m: Received): TableEvent | undefined {
  if (m.type >> 8 !== SUBSYSTEM) return undefined;
  const value = anyMessage.read(m.from, m.at, m.length);
  const family = familyNames.get(value.head.family);
  const name = value.attrs.table;
  return family && name !== undefined ? { type: 'table', by: m.port, family, name } : undefined;
}

const NFNLGRP_NFTABLES = 7;

/** Listens to changes of nftables by anyone, also by us. The caller closes it. */
export async function openTableMonitor(options: {
  readonly netns?: string | number | undefined;
  /** See MonitorOptions. */
  readonly onEvent: (event: TableEvent | Overrun) => void;
  readonly onError: (error: Error) => void;
}): Promise<Monitor> {
  const groups = [NFNLGRP_NFTABLES];
  return Monitor.open({
    ...options,
    protocol: NETLINK.NETFILTER,
    groups,
    decode: decodeTableEvent,
  });
}
