import type { ClusterView, EndpointNames, HostDocument } from '../cluster/index.js';
import type { DockerEngine } from '../docker/index.js';
import { NameServer, type SandboxState, parseUpstream } from '../dns/index.js';
import type { Bindings } from '../driver/index.js';
import type { NetworkDriver } from '../plugin-api/index.js';
import { Closer } from '../util/index.js';
import type { Config } from './config.js';
import { Containers, type Placement } from './containers.js';
import type { Log } from './log.js';
import { NamedDriver } from './named-driver.js';
import { Names } from './names.js';

/** Of so many containers it is known that the log says they are not served. */
const MAX_FAILED = 1024;

export interface NamingDeps {
  readonly config: Config['dns'];
  readonly hostId: string;
  /** Where a process answers that survives this one, if there is one. */
  readonly socketPath: string;
  readonly engine: DockerEngine;
  readonly bindings: Bindings;
  readonly view: ClusterView;
  /** What other hosts are told of this network, by the cluster's id, is another now. */
  readonly publish: (networkId: string) => void;
  /** Which containers run where, told on each comparison with Docker. */
  readonly onPlaced: (placements: readonly Placement[]) => void;
  readonly log: Log;
}

/**
 * Names from end to end: what Docker calls its containers here, what other hosts are told of it, and who answers. Without
 * `dns.enabled` this host's containers are found by others, and ask Docker only.
 */
export class Naming implements AsyncDisposable {
  readonly #containers: Containers;
  readonly #names: Names | undefined;
  readonly #closer = new Closer();

  private constructor(deps: NamingDeps, server: NameServer | undefined) {
    const { engine, bindings, publish, onPlaced, log } = deps;
    if (server) this.#closer.use(server);
    this.#containers = this.#closer.use(
      new Containers({
        engine,
        isOurs: (dockerId) => bindings.network(dockerId) !== undefined,
        onChange: (dockerIds) => {
          for (const dockerId of dockerIds) {
            this.#names?.tellLocal(dockerId);
            const binding = bindings.network(dockerId);
            if (binding) publish(binding.network.id);
          }
          this.#names?.followUpstreams();
        },
        onCompared: () => {
          this.#names?.compare();
          onPlaced(this.#containers.placements());
        },
        log,
      }),
    );
    const upstreams = deps.config.upstream.map(parseUpstream);
    this.#names = server && new Names({ ...deps, server, upstreams, containers: this.#containers });
  }

  /** Starts the thread that answers, and to follow Docker. */
  static async open(deps: NamingDeps): Promise<Naming> {
    const { config, log, socketPath } = deps;
    const report = reporter(log);
    const server = config.enabled
      ? await NameServer.open({
          ttlSec: config.ttlSec,
          localFirst: config.localFirst,
          listen: config.listen === undefined ? undefined : parseUpstream(config.listen),
          onHost: (state, reason) => reportHost(log, config.listen, state, reason),
          socketPath,
          onSandbox: report,
          onCrash: (err) => log.error({ err }, 'names are not answered; starting anew'),
          onReplaced: () => {
            log.info('names are answered again');
            naming.#names?.retell();
          },
        })
      : undefined;
    const naming = new Naming(deps, server);
    naming.#containers.start();
    return naming;
  }

  namesOf(endpointId: string): EndpointNames | undefined {
    return this.#containers.names(endpointId);
  }

  /** Whether Docker has been asked about all that runs here. */
  get isCompared(): boolean {
    return this.#containers.isCompared;
  }

  /** Those that policies may ask for, once Docker has told them. */
  labelsOf(endpointId: string): Readonly<Record<string, string>> | undefined {
    return this.#containers.labels(endpointId);
  }

  /** Which containers run where, as far as Docker has told. */
  placements(): Placement[] {
    return this.#containers.placements();
  }

  onHosts(hosts: readonly HostDocument[]): void {
    this.#names?.onHosts(hosts);
  }

  onRemote(networkId: string): void {
    this.#names?.onRemote(networkId);
  }

  /** The same driver, whose calls names follow. */
  driver(driver: NetworkDriver): NetworkDriver {
    return this.#names ? new NamedDriver(driver, this.#names) : driver;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closer.close();
  }
}

/** That one is not served is said once: it is tried again all the time. */
function reporter(log: Log) {
  const failed = new Set<string>();
  return (netns: string, state: SandboxState, reason: string | undefined): void => {
    const isNews = state === 'failed' && !failed.has(netns);
    if (state === 'serving') failed.delete(netns);
    if (isNews && failed.size >= MAX_FAILED) failed.clear();
    if (isNews) failed.add(netns);
    if (!isNews) log.debug({ netns, state, reason }, 'names in a container');
    else log.warn({ netns, reason }, "names of other hosts not served here; Docker's own are");
  };
}

function reportHost(
  log: Log,
  listen: string | undefined,
  state: SandboxState,
  reason: string | undefined,
): void {
  if (state === 'serving') log.info({ listen }, 'names are answered on the host');
  else
    log.warn({ listen, reason }, 'names not answered on the host yet; tried again until they are');
}
