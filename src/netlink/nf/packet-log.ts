/** linux/netfilter/nfnetlink_log.h: packets that rules log to a group, as whoever listens to it gets them. */
import { attrs } from '../attr.js';
import { be32, rest, string, u8 } from '../codec.js';
import { Connection, NETLINK, openSocketIn } from '../connection.js';
import { type MessageType, type Received, message } from '../message.js';
import { type Overrun, readEvents } from '../monitor.js';
import { closeSocket, execute, openMonitor } from '../native.js';
import { headed, skip, struct } from '../struct.js';
import { nfgenmsg } from './wire.js';

/** linux/netfilter/nfnetlink.h NFNL_SUBSYS_ULOG */
const SUBSYSTEM = 4;

const config = headed(
  nfgenmsg,
  attrs('NFULA_CFG', {
    command: [1, struct('nfulnl_msg_config_cmd', { command: u8 })],
    mode: [2, struct('nfulnl_msg_config_mode', { range: be32, mode: u8, _: skip(1) })],
    // Hundredths of a second.
    timeout: [4, be32],
    threshold: [5, be32],
  }),
);
const NFULNL_MSG_CONFIG: MessageType<ReturnType<typeof config.read>> = {
  name: 'NFULNL_MSG_CONFIG',
  type: (SUBSYSTEM << 8) | 1,
  codec: config,
};
const NFULNL_MSG_PACKET = SUBSYSTEM << 8;
const packet = headed(nfgenmsg, attrs('NFULA', { payload: [9, rest], prefix: [10, string] }));

const COMMAND = { bind: 1 } as const;
const COPY_PACKET = 2;
/** Headers of any packet, IPv6 extensions included. */
const RANGE = 256;
/** How long packets may wait for others to come along. */
const TIMEOUT_CS = 10;

/** A packet from its network header on, cut. */
export interface LoggedPacket {
  readonly type: 'packet';
  readonly prefix: string;
  readonly octets: Uint8Array;
}

export interface PacketLogOptions {
  readonly netns?: string | number | undefined;
  /** The number that rules log to. */
  readonly group: number;
  /** Overruns: packets were lost. Must not throw. */
  readonly onPacket: (packet: LoggedPacket | Overrun) => void;
  /** The log has ended. At most once. */
  readonly onError: (error: Error) => void;
}

/**
 * Listens to a group in a namespace until disposed of. Throws EBUSY while somebody else does, and EPERM without CAP_NET_ADMIN; EINVAL
 * or EOPNOTSUPP where the kernel is built without nfnetlink_log.
 */
export async function openPacketLog({
  netns,
  group,
  onPacket,
  onError,
}: PacketLogOptions): Promise<Disposable> {
  const socket = await openSocketIn({ netns, protocol: NETLINK.NETFILTER });
  try {
    const conn = new Connection({
      execute: async (request) => execute(socket, request),
      close: () => undefined,
    });
    const head = nfgenmsg.of({ resourceId: group });
    const about = `log group ${group}`;
    await conn.apply(
      message(NFULNL_MSG_CONFIG, 0, { head, attrs: { command: { command: COMMAND.bind } } }, about),
    );
    const mode = { range: RANGE, mode: COPY_PACKET };
    const wanted = { head, attrs: { mode, timeout: TIMEOUT_CS, threshold: 1 } };
    await conn.apply(message(NFULNL_MSG_CONFIG, 0, wanted, about));
    const native = openMonitor(
      socket,
      (datagram) => {
        for (const event of readEvents(datagram, decodePacket)) onPacket(event);
      },
      (error) => {
        closeSocket(socket);
        onError(error);
      },
    );
    return {
      [Symbol.dispose]: () => {
        native.close();
        closeSocket(socket);
      },
    };
  } catch (error) {
    closeSocket(socket);
    throw error;
  }
}

function decodePacket(m: Received): LoggedPacket | undefined {
  if (m.type !== NFULNL_MSG_PACKET) return undefined;
  const { payload, prefix = '' } = packet.read(m.from, m.at, m.length).attrs;
  return payload && { type: 'packet', prefix, octets: Uint8Array.from(payload) };
}
