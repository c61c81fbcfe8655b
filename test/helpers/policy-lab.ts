/** A bridge with containers on it in name only: links that frames are sent from and seen on, under a policy's table. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import { type Address, type Mac, macFromAddress } from '../../src/net/index.js';
import { Connection, NETLINK, nft } from '../../src/netlink/index.js';
import { LOG_GROUP, POLICY_TABLE, PolicyTable } from '../../src/policy/index.js';
import type { Endpoint, Flow, NetworkPolicies } from '../../src/policy/index.js';
import { type Segment, frameOf } from './flows.js';
import { type TestNetns, testNetns } from './native.js';

const PROBE = fileURLToPath(new URL('../../../test/helpers/policy-probe.py', import.meta.url));

/** A packet that is sent: the first of a flow, unless it says otherwise. */
export type Packet = Flow &
  Segment & {
    /** Whose MAC the frame goes to; default: that of the destination. */
    readonly via?: Address;
  };

/** A packet, and how it is sent: as the frames that its frame becomes. */
export interface Disguised {
  readonly packet: Packet;
  readonly as: (frame: Buffer) => readonly Buffer[];
}

export class PolicyLab {
  readonly #inside: TestNetns;
  readonly #outside: TestNetns;
  readonly #conn: Connection;
  readonly #endpoints: readonly Endpoint[];
  #table = new PolicyTable('');
  #host = '';
  #there: nft.TableSpec | undefined;

  private constructor(
    inside: TestNetns,
    outside: TestNetns,
    conn: Connection,
    endpoints: readonly Endpoint[],
  ) {
    this.#inside = inside;
    this.#outside = outside;
    this.#conn = conn;
    this.#endpoints = endpoints;
  }

  /** Each endpoint gets a link in one namespace, `c0` and on, whose other end is a port of the bridge in another. */
  static async open(
    t: Pick<ExecutionContext, 'teardown'>,
    endpoints: readonly Endpoint[],
  ): Promise<PolicyLab> {
    const [inside, outside] = [await testNetns(t), await testNetns(t)];
    for (const family of ['iptables', 'ip6tables']) {
      run(inside, ['sysctl', '-qw', `net.bridge.bridge-nf-call-${family}=0`]);
    }
    run(outside, ['sysctl', '-qw', 'net.ipv6.conf.default.disable_ipv6=1']);
    const bridge = 'link add br0 up type bridge mcast_snooping 0';
    inside.ip(...`${bridge} nf_call_iptables 1 nf_call_ip6tables 1`.split(' '));
    for (const [i, { addresses }] of endpoints.entries()) {
      const mac = macOf(addresses[0]!);
      const pair = `link add c${i} address ${mac} up type veth peer name p${i} netns ${inside.name}`;
      outside.ip(...pair.split(' '));
      inside.ip(...`link set p${i} master br0 up`.split(' '));
    }
    const conn = await Connection.open({ netns: inside.path, protocol: NETLINK.NETFILTER });
    t.teardown(async () => conn.close());
    return new PolicyLab(inside, outside, conn, endpoints);
  }

  /** Enforces the policies of this network as `host` would; answers whether there was anything to do. */
  async apply(network: NetworkPolicies, host: string): Promise<boolean> {
    if (host !== this.#host) this.#table = new PolicyTable(host);
    this.#host = host;
    const table = this.#table.update(network);
    const before = this.#there;
    this.#there = table;
    if (!table) {
      await nft.deleteTable(this.#conn, POLICY_TABLE);
      return true;
    }
    if (!before) return nft.ensureTable(this.#conn, table);
    const isChanged = await nft.changeTable(this.#conn, before, table);
    if (await nft.ensureTable(this.#conn, table)) throw new Error('the difference was not all');
    return isChanged;
  }

  /** Sends packets one after the other and answers, for each, whether it arrived. */
  probe(packets: readonly Packet[]): boolean[] {
    return this.probeAs(packets.map((packet) => ({ packet, as: (frame) => [frame] })));
  }

  /** The same with packets in another form: several frames, of which the last one has the frame's end. */
  probeAs(probes: readonly Disguised[]): boolean[] {
    const links = this.#endpoints.map((_, i) => `c${i}`);
    const frames: [from: number, to: number, frame: string][] = [];
    const lasts = probes.map(({ packet, as }) => {
      const [from, to] = [
        this.#linkOf(packet.source),
        this.#linkOf(packet.via ?? packet.destination),
      ];
      const macs = { from: this.#mac(from), to: this.#mac(to) };
      // The marker at the end names the last of its frames.
      const count = as(Buffer.from(frameOf(packet, macs, 0), 'hex')).length;
      const last = frames.length + count - 1;
      for (const frame of as(Buffer.from(frameOf(packet, macs, last), 'hex'))) {
        frames.push([from, to, frame.toString('hex')]);
      }
      return last;
    });
    const input = JSON.stringify({ links, frames });
    const arrived = JSON.parse(run(this.#outside, ['python3', PROBE], input)) as boolean[];
    return lasts.map((last) => arrived[last]!);
  }

  /** What rules tell of packets from now on, until disposed of. */
  async openLog(onPacket: nft.PacketLogOptions['onPacket']): Promise<Disposable> {
    const onError = (error: Error): void => {
      throw error;
    };
    return nft.openPacketLog({ netns: this.#inside.path, group: LOG_GROUP, onPacket, onError });
  }

  /** How many connections the kernel knows in the namespace. */
  connections(): number {
    return Number(run(this.#inside, ['cat', '/proc/sys/net/netfilter/nf_conntrack_count']));
  }

  /** What nft prints. */
  ruleset(): string {
    return run(this.#inside, ['/usr/sbin/nft', 'list', 'ruleset']);
  }

  /** Has nft read, but not carry out, a text. */
  check(text: string): void {
    run(this.#inside, ['/usr/sbin/nft', '-c', '-f', '-'], text);
  }

  #mac(link: number): Mac {
    return macOf(this.#endpoints[link]!.addresses[0]!);
  }

  #linkOf(address: Address): number {
    return this.#endpoints.findIndex((each) => each.addresses.includes(address));
  }
}

const macOf = (address: Address): Mac => macFromAddress(address);

function run({ name }: TestNetns, command: readonly string[], input = ''): string {
  const args = ['netns', 'exec', name, ...command];
  const { status, stdout, stderr } = spawnSync('ip', args, {
    encoding: 'utf8',
    input,
    maxBuffer: 64 << 20,
  });
  if (status !== 0) throw new Error(`${command.join(' ')} ended with ${status}: ${stderr}`);
  return stdout;
}
