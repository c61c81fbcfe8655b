import dgram from 'node:dgram';
import net from 'node:net';
import { type Address, familyOf, parseAddress } from '../../net/index.js';
import {
  Datagrams,
  type OnDatagram,
  closeFd,
  currentNetnsFd,
  localPort,
  openInet,
} from '../../netlink/index.js';
import { type Upstream, isLoopback } from '../upstream.js';

/** Where containers ask: Docker writes it into every resolv.conf. */
export const RESOLVER = { address: parseAddress('127.0.0.11'), port: 53 } as const;
/** Where our own questions to Docker's resolver come from, so that they are told from the container's. */
export const FORWARD_FROM = parseAddress('127.0.0.12');

/** Addresses only, and so at once: names are never looked up. */
function asIs(
  address: string,
  _options: dgram.SocketOptions | object,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, address, familyOf(address as Address));
}

/** Gives the descriptor to `adopt`, and closes it when that refuses it. */
export function adopted<T>(fd: number, adopt: (fd: number) => T): T {
  try {
    return adopt(fd);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function adoptUdp(fd: number, family: 4 | 6 = 4): dgram.Socket {
  return adopted(fd, () => {
    const socket = dgram.createSocket({ type: `udp${family}`, lookup: asIs as never });
    socket.bind({ fd, exclusive: true });
    return socket;
  });
}

/** Bound to a port that the kernel chose, in the namespace. */
export function listenUdp(
  netnsFd: number,
  onDatagram: OnDatagram,
): { readonly datagrams: Datagrams; readonly port: number } {
  const local = { address: RESOLVER.address, port: 0 };
  const fd = openInet(netnsFd, { transport: 'udp', local });
  const port = localPort(fd);
  return { datagrams: new Datagrams(fd, onDatagram), port };
}

export function listenTcp(netnsFd: number, server: net.Server): void {
  const local = { address: RESOLVER.address, port: 0 };
  adopted(openInet(netnsFd, { transport: 'tcp', local }), (fd) => server.listen({ fd }));
}

const ANY: Readonly<Record<4 | 6, Address>> = { 4: parseAddress('0.0.0.0'), 6: parseAddress('::') };

/** Opens a socket to ask a server with: Docker's resolver and all others from the container's namespace, the host's own from the host's. */
function openTo(
  netnsFd: number,
  transport: 'udp' | 'tcp',
  upstream: Upstream | undefined,
  remote?: Upstream,
): number {
  const to = remote === undefined ? {} : { remote };
  if (upstream === undefined) {
    return openInet(netnsFd, { transport, local: { address: FORWARD_FROM, port: 0 }, ...to });
  }
  const local = { address: ANY[familyOf(upstream.address)], port: 0 };
  if (!isLoopback(upstream.address)) return openInet(netnsFd, { transport, local, ...to });
  const host = currentNetnsFd();
  try {
    return openInet(host, { transport, local, ...to });
  } finally {
    closeFd(host);
  }
}

/**
 * To Docker's own resolver or an upstream server, from a port that the kernel chose at random; hears only of it, its refusals too. Throws
 * when nothing leads there.
 */
export function connectUdp(netnsFd: number, upstream?: Upstream): dgram.Socket {
  const { address, port } = upstream ?? RESOLVER;
  const socket = adoptUdp(openTo(netnsFd, 'udp', upstream), familyOf(address));
  // What it says by an event is found out below.
  const ignore = (): void => undefined;
  socket.on('error', ignore);
  // At once, as nothing is looked up.
  socket.connect(port, address);
  try {
    socket.remoteAddress();
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.off('error', ignore);
  return socket;
}

export function connectTcp(netnsFd: number, upstream?: Upstream): net.Socket {
  const fd = openTo(netnsFd, 'tcp', upstream, upstream ?? RESOLVER);
  return adopted(fd, () => new net.Socket({ fd, readable: true, writable: true }));
}
