import { Machine, type MachineState } from './machine.js';
import { Service } from './service.js';

/** A machine that runs one Consul server. Its data outlives a restart of the server. */
export class ConsulServer extends Machine {
  readonly server: Service;
  readonly #others: readonly string[];

  /** `peers`: the addresses of all servers of its cluster, its own among them. */
  constructor(state: MachineState, binary: string, peers: readonly string[]) {
    super(state);
    const others = peers.filter((peer) => peer !== state.address);
    this.#others = others;
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
        // Who was cut off for long stays a voter: without it, the next one lost would be one too many.
        '-hcl=autopilot { cleanup_dead_servers = false }',
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

  /**
   * What an operator does after a long cut: servers that took each other for dead ask only every 30 s, and then by lot, so that
   * they may take minutes to meet again. Does nothing for a server that does not run.
   */
  async rejoin(): Promise<void> {
    await Promise.all(
      this.#others.map(async (peer) => {
        const signal = AbortSignal.timeout(2000);
        const joining = fetch(`${this.url}/v1/agent/join/${peer}`, { method: 'PUT', signal });
        await joining.catch(() => undefined);
      }),
    );
  }

  /** The leader it follows, as `address:port`; empty when it knows none. */
  async leader(): Promise<string> {
    const reply = await fetch(`${this.url}/v1/status/leader`, {
      signal: AbortSignal.timeout(2000),
    });
    return JSON.parse(await reply.text()) as string;
  }
}
