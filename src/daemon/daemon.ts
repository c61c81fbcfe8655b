import path from 'node:path';
import { type AnnounceState, ClusterView, HostAnnouncer, Networks } from '../cluster/index.js';
import { DockerEngine } from '../docker/index.js';
import { Bindings, Driver, Membership, type NetworkBinding } from '../driver/index.js';
import { Ipam } from '../ipam/index.js';
import { Connection } from '../netlink/index.js';
import { type CallReport, openPluginServer } from '../plugin-api/index.js';
import type { Store } from '../store/index.js';
import { Closer, VERSION, messageOf } from '../util/index.js';
import { type Datapath, openDatapath, overlayMtu } from '../vxlan/index.js';
import type { Config } from './config.js';
import { DockerSync } from './docker-sync.js';
import { dockerPrefixes, occupiedPrefixes, readUnderlay } from './host-facts.js';
import { hostIdentity } from './identity.js';
import type { Log } from './log.js';
import { Remotes } from './remotes.js';
import { openEmbedded, openSharedStore } from './shared-store.js';
import type { UnderlayChoice } from './underlay.js';

/** Nothing in the data path waits for the engine. */
const DOCKER_TIMEOUT_MS = 2000;
/** How often the kernel is compared with what it should be, without a sign that it differs. */
const RECONCILE_MS = 60_000;
