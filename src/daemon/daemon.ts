import path from 'node:path';
import {
  type AnnounceState,
  FencedStore,
  HostAnnouncer,
  Networks,
  Standing,
  clusterKeys,
} from '../cluster/index.js';
import { openControlServer } from '../control-api/index.js';
import { DockerContainers, DockerEngine, type DockerNetworkSettings } from '../docker/index.js';
import { Bindings, Driver, Membership } from '../driver/index.js';
import { familyOf } from '../net/index.js';
import { Connection } from '../netlink/index.js';
import { openPluginServer } from '../plugin-api/index.js';
import { type Closer, VERSION, hasCode } from '../util/index.js';
import { overlayMtu } from '../vxlan/index.js';
import { openIpam } from './addresses.js';
import { logCall } from './call-log.js';
import { ClusterNetworks } from './cluster-networks.js';
import { ExpectedNetworks } from './expected-networks.js';
import type { Config } from './config.js';
import { DockerSync } from './docker-sync.js';
import { EventLog } from './event-log.js';
import { EventLoopWatch } from './event-loop.js';
import { Health } from './health.js';
import { readUnderlay } from './host-facts.js';
import { chooseUnderlay, openHostDatapath, prunedOnceLoaded } from './host-datapath.js';
import { hostIdentity, hostInstance } from './identity.js';
import type { Log } from './log.js';
import { attached, openMembers } from './members.js';
import { Naming } from './naming.js';
import { PolicingParts } from './policing.js';
import { Reclaimer } from './reclaimer.js';
import { Remotes } from './remotes.js';
import { openEmbedded, openSharedStore } from './shared-store.js';
import { OperatorNetworks } from './operator-networks.js';
import { openKeyGuard } from './own-keys.js';
import { openView } from './open-view.js';
import { DaemonSource } from './source.js';
import { Starter } from './starter.js';
import { SandboxLinks } from './sandbox-links.js';
import { UnderlayWatch } from './underlay-watch.js';

/** Nothing in the data path waits for the engine. */
const DOCKER_TIMEOUT_MS = 2000;
const ASK_INSIDE_MS = 1000;
/** In the run directory; `weft names` listens there. */
export const NAMES_SOCKET = 'names.sock';

/**
 * Opens everything in the order in which each needs the other, the plugin's socket last, so that Docker's first call finds a
 * daemon that is ready. What `closer` closes leaves kernel and containers as they are.
 *
 * Waits for this host only: kernel and disk. The shared store may be away; what needs it waits by itself.
 */
export async function openDaemon(config: Config, log: Log, closer: Closer): Promise<void> {
  const health = new Health();
  const events = closer.use(new EventLog(log.child({ component: 'events' })));
  const local = closer.use(await openEmbedded(config.stateDir, 'local', log));
  const raw = closer.use(await openSharedStore(config, log));
  const hostId = await hostIdentity(local);
  const standing = new Standing(clusterKeys.member(hostId), raw.kind);
  const shared = new FencedStore(raw, standing);
  const kernel = closer.use(await Connection.open());
  const underlay: UnderlayWatch = closer.use(
    new UnderlayWatch({
      first: await chooseUnderlay(kernel, config, log),
      read: async () => readUnderlay(kernel, config.underlay),
      onState: (error) => health.set('NO_UNDERLAY', error),
      onChange: async ({ linkName, vtep, mtu, reason }) => {
        const text = `underlay is ${linkName} ${vtep} with MTU ${mtu} now: ${reason}`;
        events.add({ code: 'UNDERLAY_CHANGED', level: 'warn', text });
        await datapath.setUnderlay({ vtep, port: config.underlay.port });
        await driver.followUnderlay();
        announcer.update({ ...document, vtep, mtu });
      },
    }),
  );
  const datapath = closer.use(await openHostDatapath(config, underlay, log, health));
  const dockerOptions = { socketPath: config.dockerSocket, timeoutMs: DOCKER_TIMEOUT_MS };
  const engine = new DockerEngine(dockerOptions);
  const starter = closer.use(
    new Starter({
      containers: new DockerContainers(dockerOptions),
      networks: () => namesOfOurs(sync),
      events,
      log,
    }),
  );

  const bindings = await Bindings.load(local, (key) =>
    log.error({ key }, 'local record unreadable; left out'),
  );
  const remotes = closer.use(new Remotes(datapath, hostId, log));
  const view = closer.use(
    openView(shared, hostId, {
      remotes,
      naming: (): Naming => naming,
      enforcement: () => policing.enforcement,
      standing,
      log,
      health,
      events,
      onStoreBack: () => starter.look(),
    }),
  );
  const containerOf = (id: string): string | undefined => sync.containerName(id);
  const networks = new Networks(shared, hostId);
  const nameOf = (id: string): string =>
    [...view.hosts(), ...members.all()].find((host) => host.id === id)?.name ?? id;
  const expected = new ExpectedNetworks({
    view,
    bindings,
    isDockerThere: () => sync.isReachable,
  });
  const clusterNetworks: ClusterNetworks = closer.use(
    new ClusterNetworks({
      engine,
      view,
      bindings,
      networks,
      expected,
      driver: () => driver,
      events,
      health,
      log,
      nameOf,
      hostId,
    }),
  );
  const ipam = closer.use(
    await openIpam({
      config,
      hostId,
      shared,
      standing,
      local,
      kernel,
      engine,
      nameOf,
      containerOf,
      expected: (asked) => expected.nameFor(asked),
      log,
    }),
  );
  const membership = closer.use(
    new Membership({
      networks,
      view,
      bindings,
      namesOf: (endpointId) => naming.namesOf(endpointId),
      labelsOf: (endpointId) => naming.labelsOf(endpointId),
      areNamesKnown: () => naming.isCompared,
      onError: (network, err) => {
        if (standing.refusal) return; // said in the status already
        log.warn({ network, err }, 'membership not written; will be retried');
        if (!hasCode(err, 'UNAVAILABLE')) health.set(`NETWORK_NOT_SHARED ${network}`, err);
      },
      onPublished: (networkId, leftOut) => {
        health.set(`NETWORK_NOT_SHARED ${networkId}`, undefined);
        health.set(`NAMES_LEFT_OUT ${networkId}`, namesLeftOut(leftOut));
      },
      onLost: (networkId) => {
        const network = bindings.byNetworkId(networkId)?.network.name ?? networkId;
        const text = `the store has lost what this host wrote of network "${network}"; it is written again`;
        events.add({ code: 'NETWORK_LOST_IN_STORE', level: 'warn', network, text });
        ipam.doubt();
        sync.look();
      },
      onRemoved: (network, usedBy) => clusterNetworks.removed(network, usedBy),
    }),
  );
  const self = { id: hostId, name: config.hostName };
  const policing: PolicingParts = closer.use(
    await PolicingParts.open({
      shared,
      local,
      self,
      bindings,
      view,
      naming: () => naming,
      datapath,
      health,
      events,
      log: log.child({ component: 'policy' }),
    }),
  );
  const driver: Driver = new Driver({
    bindings,
    membership,
    datapath,
    addresses: ipam,
    policing: policing.enforcement,
    overlayMtu: () => overlayMtu(underlay.mtu, familyOf(underlay.vtep)),
    ownerOfMac: (networkId, mac) => remotes.ownerOfMac(networkId, mac),
    isDockerThere: () => sync.isReachable,
    askDocker: async (dockerId, signal) =>
      sync.isReachable ? settingsOf(engine, dockerId, signal) : undefined,
  });
  const sandboxLinks = new SandboxLinks({ bindings, datapath, events, driver: () => driver });
  const naming = closer.use(
    await Naming.open({
      config: config.dns,
      hostId,
      socketPath: path.join(config.runDir, NAMES_SOCKET),
      engine,
      bindings,
      view,
      publish: (networkId) => {
        policing.enforcement.touch(networkId);
        membership.publishLater(networkId);
      },
      onPlaced: (placements) => {
        policing.enforcement.onCompared();
        void sandboxLinks.look(placements);
      },
      log: log.child({ component: 'dns' }),
    }),
  );
  datapath.onLost(() => void sandboxLinks.look(naming.placements()));
  // Names come first: what is restored is published at once, with them.
  await driver.restore();
  await policing.start();

  const document = {
    ...self,
    vtep: underlay.vtep,
    mtu: underlay.mtu,
    version: VERSION,
    startedAt: new Date().toISOString(),
    instance: await hostInstance(config.runDir),
  };
  const announcer: HostAnnouncer = closer.use(
    new HostAnnouncer(raw, document, {
      standing,
      onState: (state) => {
        onAnnounce(state, log, health);
        if (state.kind === 'announced') starter.look();
      },
      inUse: () => attached(bindings, sync),
      onRejoin: async () => {
        log.info('nothing is left of before this host was removed; it joins again');
        await ipam.startOver();
        for (const { network } of bindings.networks()) membership.publishLater(network.id);
      },
    }),
  );
  announcer.start();
  const keyGuard = closer.use(
    openKeyGuard({
      store: shared,
      hostId,
      standing,
      announcer,
      underlay,
      view,
      bindings,
      membership,
      networks,
      ipam,
      enforcement: policing.enforcement,
      health,
      events,
      log,
    }),
  );
  keyGuard.start();
  clusterNetworks.start(prunedOnceLoaded(view, datapath, log));
  const members = closer.use(
    openMembers({ config, document, shared, standing, view, ipam, log, events }),
  );
  members.start();

  const reclaimer = new Reclaimer({
    bindings,
    driver,
    ipam,
    standing,
    onFreed: () => starter.look(),
    log,
  });
  const sync: DockerSync = closer.use(
    new DockerSync({
      engine,
      bindings,
      ...reclaimer.callbacks(),
      onNetworkSeen: async (binding, seen) => clusterNetworks.seen(binding, seen),
      onNetworkMade: (dockerId) => clusterNetworks.made(dockerId),
      onReachable: (error) => {
        health.set('DOCKER_UNREACHABLE', error);
        clusterNetworks.kick();
        if (error === undefined) starter.look();
      },
      log,
    }),
  );
  sync.start();
  underlay.start();

  const operatorNetworks = new OperatorNetworks({
    engine,
    bindings,
    view,
    networks,
    clusterNetworks,
    expected,
    health,
  });
  const source = new DaemonSource({
    config,
    document,
    underlay,
    bindings,
    view,
    members,
    operatorNetworks,
    policies: policing.operator({ bindings, view, datapath }),
    sync,
    health,
    events,
    log,
    eventLoop: closer.use(new EventLoopWatch()),
  });
  const { runDir, pluginSocket } = config;
  closer.use(await openControlServer({ socketPath: path.join(runDir, 'control.sock'), source }));
  const network = naming.driver(driver);
  const onCall = logCall(log.child({ component: 'plugin' }));
  closer.use(await openPluginServer({ socketPath: pluginSocket, network, ipam, onCall }));
  starter.start();
  log.info({ host: config.hostName, id: hostId, version: VERSION, socket: pluginSocket }, 'ready');
}

/** What Docker calls the networks on this host that are weft's. */
function namesOfOurs(sync: DockerSync): ReadonlySet<string> {
  const ours = sync.networks().filter(({ driver }) => driver === 'weft');
  return new Set(ours.map(({ name }) => name));
}

/** For the status; undefined when nothing was. */
function namesLeftOut(containers: readonly string[]): Error | undefined {
  if (containers.length === 0) return undefined;
  const some = containers.slice(0, 5).join(', ');
  return new Error(
    `other hosts are not told all names and ports of ${containers.length} containers here (${some}${containers.length > 5 ? ', …' : ''}), ` +
      'for they are too many for one network; expose fewer ports, or give fewer names',
  );
}

/** Inside a call of Docker's: answered at once, or not at all. */
async function settingsOf(
  engine: DockerEngine,
  dockerId: string,
  signal: AbortSignal,
): Promise<DockerNetworkSettings | undefined> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(ASK_INSIDE_MS)]);
  return (await engine.network(dockerId, soon).catch(() => undefined))?.settings;
}

function onAnnounce(state: AnnounceState, log: Log, health: Health): void {
  if (state.kind === 'announced') log.info('host announced');
  if (state.kind === 'failed')
    log.warn({ err: state.error }, 'host not announced; will be retried');
  health.set('HOST_NOT_ANNOUNCED', state.kind === 'failed' ? state.error : undefined);
}
