/**
 * The only door to the native addon: netlink and internet sockets in any network namespace, and the namespaces themselves.
 *
 * Promises: bytes in, bytes out; arguments are checked here; no thread of Node's ever changes its namespace; whatever
 * the kernel refuses is an Error with `code`, `errno` (negative) and `syscall`, like Node's own. Usable in worker
 * threads; sockets and monitors that an ended worker left open are closed with it (descriptors from openNetns are not).
 * Does not: parse, retry, reassemble, number or match messages.
 */
import { fstatSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Address, addressToBytes } from '../net/index.js';

declare const nativeSocket: unique symbol;

/** An open netlink socket: an opaque handle, owned by whoever opened it; give it back with closeSocket. */
export interface NativeSocket {
  readonly [nativeSocket]: true;
}

declare const nativeDatagrams: unique symbol;
/** See datagrams.ts. */
export interface NativeDatagrams {
  readonly [nativeDatagrams]: true;
}

export interface SocketOptions {
  /** The network namespace that the socket lives in, for good; default: this process's. May be closed after the call. */
  readonly netnsFd?: number;
  /** Multicast groups by number (RTNLGRP_*, not the old bit mask). */
  readonly groups?: readonly number[];
  /** Octets of the send and of the receive buffer; the kernel doubles them. An ack that waits takes about 768. */
  readonly receiveBuffer?: number;
}

export interface Monitor {
  /** No callback runs after this. The socket stays open. Closing twice is fine. */
  close(): void;
}

type OnEvent = (datagram: Uint8Array | undefined, error: Error | undefined) => void;

export interface Addon {
  openSocket(
    protocol: number,
    groups: readonly number[],
    receiveBuffer: number,
    netnsFd: number,
  ): Promise<NativeSocket>;
  execute(socket: NativeSocket, request: Uint8Array): Promise<Uint8Array[]>;
  closeSocket(socket: NativeSocket): void;
  startMonitor(socket: NativeSocket, onEvent: OnEvent): void;
  stopMonitor(socket: NativeSocket): void;
  openNetns(path: string): number;
  createNetns(path: string): Promise<void>;
  bindNetns(netnsFd: number, path: string): Promise<void>;
  deleteNetns(path: string): Promise<void>;
  writeInNetns(netnsFd: number, path: string, data: string): Promise<void>;
  openInet(
    netnsFd: number,
    isTcp: boolean,
    local: Uint8Array,
    localPort: number,
    remote: Uint8Array | undefined,
    remotePort: number,
  ): number;
  localPort(fd: number): number;
  startDatagrams(
    fd: number,
    incoming: Uint8Array,
    incomingLengths: Uint32Array,
    peers: Uint8Array,
    outgoing: Uint8Array,
    outgoingLengths: Uint32Array,
    onBatch: (count: number) => void,
  ): NativeDatagrams;
  sendDatagram(datagrams: NativeDatagrams, octets: Uint8Array, peer: Uint8Array): void;
  stopDatagrams(datagrams: NativeDatagrams): void;
  closeFd(fd: number): void;
}

/** Room for the acks of some ten thousand messages; memory is used only while they wait. */
const DEFAULT_BUFFER = 4 * 1024 * 1024;

let loaded: Addon | undefined;

/** WEFT_NATIVE names another build of the addon, such as one with sanitizers. */
export function addon(): Addon {
  if (loaded) return loaded;
  const path = process.env['WEFT_NATIVE'] ?? '../../../native/build/Release/weft.node';
  try {
    loaded = createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    throw new Error('native addon not loaded; build it with npm run build:native', { cause });
  }
  return loaded;
}

function checkInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new RangeError(`${name} must be an integer from ${min} to ${max}, not ${value}`);
}

export function checkFd(name: string, fd: number): void {
  checkInteger(name, fd, 0, 0x7fffffff);
}

function checkPath(path: string): void {
  if (path.startsWith('/') && !path.includes('\0')) return;
  throw new TypeError(`path must be absolute and without NUL, not ${JSON.stringify(path)}`);
}

/**
 * Opens a bound AF_NETLINK socket (NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK).
 *
 * @param protocol NETLINK_ROUTE 0, NETLINK_NETFILTER 12, ... (linux/netlink.h)
 */
export async function openSocket(
  protocol: number,
  options: SocketOptions = {},
): Promise<NativeSocket> {
  const { netnsFd, groups = [], receiveBuffer = DEFAULT_BUFFER } = options;
  checkInteger('protocol', protocol, 0, 31);
  checkInteger('receiveBuffer', receiveBuffer, 1, 0x3fffffff);
  for (const group of groups) checkInteger('group', group, 1, 0x7fffffff);
  if (netnsFd !== undefined) checkFd('netnsFd', netnsFd);
  return addon().openSocket(protocol, groups, receiveBuffer, netnsFd ?? -1);
}

/**
 * Sends the request, one or many netlink messages, in one go, and returns every datagram that the kernel answers.
 *
 * Runs on libuv's pool, since the kernel may make it wait (for the rtnl lock). The request is copied at the call. One
 * at a time on a socket: EBUSY while another runs or a monitor reads. ENOBUFS: answers were lost, the rest is dropped;
 * EMSGSIZE: a datagram beyond 64 KiB, or a request beyond the buffer; EBADF: closed. A socket closed meanwhile stays
 * open underneath until the answer is there. The datagrams share one ArrayBuffer.
 */
export async function execute(socket: NativeSocket, request: Uint8Array): Promise<Uint8Array[]> {
  if (!(request instanceof Uint8Array)) throw new TypeError('request must be a Uint8Array');
  return addon().execute(socket, request);
}

/** Closes the socket and its monitor. Closing twice is fine. */
export function closeSocket(socket: NativeSocket): void {
  addon().closeSocket(socket);
}

/**
 * Calls `onReadable` with each datagram that arrives, in order, and with undefined after the kernel had to drop some
 * because the reader was too slow: observe everything anew. What it tells after that call it tells in full. What it throws is an uncaught exception. After `onError`, which
 * comes at most once, the monitor is closed. Keeps the event loop alive; at most one per socket (EBUSY).
 */
export function openMonitor(
  socket: NativeSocket,
  onReadable: (datagram: Uint8Array | undefined) => void,
  onError: (error: Error) => void,
): Monitor {
  let open = true;
  addon().startMonitor(socket, (datagram, error) => {
    if (error) {
      open = false;
      onError(error);
    } else {
      onReadable(datagram);
    }
  });
  return {
    close() {
      // The socket may have a later monitor by now: that one is not ours to stop.
      if (open) addon().stopMonitor(socket);
      open = false;
    },
  };
}

/** Opens a network namespace by file; EINVAL when the file is not one. The caller owns the descriptor: closeFd. */
export function openNetns(path: string): number {
  checkPath(path);
  return addon().openNetns(path);
}

/** Opens the namespace that this process runs in. The caller owns the descriptor: closeFd. */
export function currentNetnsFd(): number {
  return openNetns('/proc/thread-self/ns/net');
}

/**
 * Creates a network namespace that lives as long as the file at `path`, as `ip netns add` does: the folder, made if
 * need be inside an existing one, becomes a shared mount. EEXIST when the file is there. Leaves no file when it fails.
 */
export async function createNetns(path: string): Promise<void> {
  checkPath(path);
  return addon().createNetns(path);
}

/** Gives an open namespace a file, as createNetns does a new one: when its own was taken away. EEXIST when the file is there. */
export async function bindNetns(netnsFd: number, path: string): Promise<void> {
  checkFd('netnsFd', netnsFd);
  checkPath(path);
  return addon().bindNetns(netnsFd, path);
}

/**
 * Removes what createNetns made, or an empty file left of it; ENOENT when there is none. Processes, sockets and
 * descriptors inside keep the namespace itself alive.
 */
export async function deleteNetns(path: string): Promise<void> {
  checkPath(path);
  return addon().deleteNetns(path);
}

/** Writes one file under /proc/sys/net as seen from inside the namespace. */
export async function writeInNetns(netnsFd: number, path: string, data: string): Promise<void> {
  checkFd('netnsFd', netnsFd);
  checkPath(path);
  if (!path.startsWith('/proc/sys/net/') || path.split('/').includes('..')) {
    throw new TypeError(`only files under /proc/sys/net differ by namespace, not ${path}`);
  }
  return addon().writeInNetns(netnsFd, path, data);
}

export interface InetAddress {
  readonly address: Address;
  /** 0: the kernel chooses. */
  readonly port: number;
}

export interface InetOptions {
  readonly transport: 'udp' | 'tcp';
  readonly local: InetAddress;
  /** Connected to it; by TCP the handshake may be under way still. */
  readonly remote?: InetAddress;
}

/**
 * Opens a bound socket (not yet listening) inside a namespace. The caller owns the descriptor: closeFd, or give it to Node's net
 * or dgram. Takes some tens of microseconds, in which nothing else runs.
 */
export function openInet(netnsFd: number, { transport, local, remote }: InetOptions): number {
  checkFd('netnsFd', netnsFd);
  const parts = [local, remote].flatMap((each) => {
    if (each === undefined) return [];
    checkInteger('port', each.port, 0, 65_535);
    return [{ octets: addressToBytes(each.address), port: each.port }];
  });
  const [from, to] = parts;
  return addon().openInet(
    netnsFd,
    transport === 'tcp',
    from!.octets,
    from!.port,
    to?.octets,
    to?.port ?? 0,
  );
}

/** The port that a socket of openInet has. */
export function localPort(fd: number): number {
  checkFd('fd', fd);
  return addon().localPort(fd);
}

/** Identity of the namespace behind an open descriptor; the number may come again once the namespace is gone. */
export function netnsIno(fd: number): bigint {
  return fstatSync(fd, { bigint: true }).ino;
}

/** Closes a descriptor from openNetns, currentNetnsFd or openInet. */
export function closeFd(fd: number): void {
  checkFd('fd', fd);
  addon().closeFd(fd);
}
