import dgram from 'node:dgram';
import net from 'node:net';
import { parseAddress } from '../../net/index.js';
import { closeFd, openInet } from '../../netlink/index.js';

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
  callback(null, address, 4);
}

/** Gives the descriptor to `adopt`, and closes it when that refuses it. */
function adopted<T>(fd: number, adopt: (fd: number) => T): T {
  try {
    return adopt(fd);
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

function adoptUdp(fd: number): dgram.Socket {
  return adopted(fd, () => {
    const socket = dgram.createSocket({ type: 'udp4', lookup: asIs as never });
    socket.bind({ fd, exclusive: true });
    return socket;
  });
}

/** Bound to a port that the kernel chose, in the namespace. */
export function listenUdp(netnsFd: number): dgram.Socket {
  const local = { address: RESOLVER.address, port: 0 };
  return adoptUdp(openInet(netnsFd, { transport: 'udp', local }));
}

export function listenTcp(netnsFd: number, server: net.Server): void {
  const local = { address: RESOLVER.address, port: 0 };
  adopted(openInet(netnsFd, { transport: 'tcp', local }), (fd) => server.listen({ fd }));
}

/** To Docker's own resolver, from a port that the kernel chose at random; hears only of it, its refusals too. */
export function connectUdp(netnsFd: number): dgram.Socket {
  const local = { address: FORWARD_FROM, port: 0 };
  const socket = adoptUdp(openInet(netnsFd, { transport: 'udp', local }));
  // At once, as nothing is looked up.
  socket.connect(RESOLVER.port, RESOLVER.address);
  return socket;
}

export function connectTcp(netnsFd: number): net.Socket {
  const local = { address: FORWARD_FROM, port: 0 };
  const fd = openInet(netnsFd, { transport: 'tcp', local, remote: RESOLVER });
  return adopted(fd, () => new net.Socket({ fd, readable: true, writable: true }));
}
