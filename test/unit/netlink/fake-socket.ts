/** A kernel that answers by a function (after mdlayher/netlink's nltest), and the replies it can give. */
import { attrs } from '../../../src/netlink/attr.js';
import { encode, string, u32 } from '../../../src/netlink/codec.js';
import { type Socket } from '../../../src/netlink/index.js';
import { NLMSG, NLM_F, type Received, splitDatagram } from '../../../src/netlink/message.js';
import { ifinfomsg, linkCodec } from '../../../src/netlink/route/link-table.js';

export interface FakeSocket extends Socket {
  readonly requests: Uint8Array[];
  closed: number;
}

export function fakeSocket(
  answer: (sent: Received[]) => Uint8Array[] | Promise<Uint8Array[]>,
): FakeSocket {
  const requests: Uint8Array[] = [];
  return {
    requests,
    closed: 0,
    async execute(request) {
      requests.push(request);
      return answer(splitDatagram(request));
    },
    close() {
      this.closed += 1;
    },
  };
}

export function datagram(
  type: number,
  flags: number,
  sequence: number,
  payload: Uint8Array,
): Buffer {
  const out = Buffer.alloc(16 + ((payload.length + 3) & ~3));
  out.writeUInt32LE(16 + payload.length, 0);
  out.writeUInt16LE(type, 4);
  out.writeUInt16LE(flags, 6);
  out.writeUInt32LE(sequence, 8);
  out.set(payload, 16);
  return out;
}

const extAck = attrs('NLMSGERR_ATTR', { text: [1, string], offset: [2, u32], missing: [5, u32] });

/** NLMSG_ERROR, capped as our sockets ask for. */
export function ack(
  to: Received,
  errno: number,
  said: { readonly text?: string; readonly offset?: number; readonly missing?: number } = {},
): Buffer {
  const head = Buffer.alloc(20);
  head.writeInt32LE(-errno, 0);
  to.from.copy(head, 4, to.at - 16, to.at);
  const tlvs = encode(extAck, said);
  const flags = NLM_F.CAPPED | (tlvs.length > 0 ? NLM_F.ACK_TLVS : 0);
  return datagram(NLMSG.ERROR, flags, to.sequence, Buffer.concat([head, tlvs]));
}

export function done(to: Received, errno = 0, flags = 0): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeInt32LE(-errno);
  return datagram(NLMSG.DONE, NLM_F.MULTI | flags, to.sequence, payload);
}

export function reply(to: Received, payload: Uint8Array, flags = 0, type = 16): Buffer {
  return datagram(type, NLM_F.MULTI | flags, to.sequence, payload);
}

const link = (ifindex: number, name: string, mtu: number): Buffer =>
  encode(linkCodec, { head: ifinfomsg.of({ ifindex, flags: 1 }), attrs: { name, mtu } });

export const links = {
  lo: link(1, 'lo', 65536),
  eth0: link(2, 'eth0', 1500),
  br0: link(3, 'br0', 1450),
};
