import { Machine, type MachineState } from './machine.js';
import { Service } from './service.js';

/** A machine that runs one Consul server. Its data outlives a restart of the server. */
export class ConsulServer extends Machine {
  readonly server: Service;

  /** `peers`: the addresses of all servers of its cluster, its own among them. */
  constructor(state: MachineState, binary: string, peers: readonly string[]) {
    super(state);
    const others = peers.filter((peer) => peer !== state.address);
    this.server = new Service(this, {
      name: 'consul',
      argv: [
        binary,
        'agent',
        '-server',
        `-bootstrap-expect=${peers.length}`,
        `-node=${state.name}`,
        `-bind=${state.address}`,
        '-client=0.0.0.0',
        '-data-dir=/var/lib/consul',
        '-log-level=warn',
        '-hcl=performance { raft_multiplier = 1 }',
        '-hcl=leave_on_terminate = false',
        '-hcl=disable_update_check = true',
        '-retry-interval=1s',
        ...others.map((peer) => `-retry-join=${peer}`),
      ],
      isReady: async () => (await this.leader()) !== '',
    });
  }

  /** Where its HTTP API is, for machines of the lab and for tests. */
  get url(): string {
    return `http://${this.address}:8500`;
  }

  /** The leader it follows, as `address:port`; empty when it knows none. */
  async leader(): Promise<string> {
    const reply = await fetch(`${this.url}/v1/status/leader`, {
      signal: AbortSignal.timeout(2000),
    });
    return JSON.parse(await reply.text()) as string;
  }
}
