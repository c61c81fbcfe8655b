import type { ClusterView } from '../cluster/index.js';
import type { Connection } from '../netlink/index.js';
import { type Datapath, type KernelDatapath, openDatapath } from '../vxlan/index.js';
import type { Config } from './config.js';
import type { Health } from './health.js';
import { readUnderlay } from './host-facts.js';
import type { Log } from './log.js';
import type { UnderlayChoice } from './underlay.js';

export async function chooseUnderlay(
  kernel: Connection,
  { underlay }: Config,
  log: Log,
): Promise<UnderlayChoice> {
  const choice = await readUnderlay(kernel, underlay);
  const { linkName: link, vtep, mtu, reason } = choice;
  log.info({ link, vtep, mtu, reason }, 'underlay chosen');
  return choice;
}

export async function openHostDatapath(
  { underlay: { port }, netnsDir }: Config,
  { vtep }: UnderlayChoice,
  log: Log,
  health: Health,
): Promise<KernelDatapath> {
  return openDatapath({
    underlay: { vtep, port },
    netnsDir,
    onStatus: (network, status) => {
      health.set(`DATAPATH ${network}`, status.state === 'degraded' ? status.error : undefined);
      if (status.state === 'degraded')
        log.warn({ network, ...status }, 'data path not as wanted; will be retried');
    },
  });
}

/** What nobody wants may go once this host knows everything that it wants; true when it does. */
export async function prunedOnceLoaded(
  view: ClusterView,
  datapath: Datapath,
  log: Log,
): Promise<boolean> {
  try {
    await view.start();
  } catch {
    return false; // closed before
  }
  try {
    const reports = await datapath.reconcile({ prune: true });
    const changes = reports.filter((r) => r.created + r.changed + r.deleted > 0);
    const durationMs = Math.round(reports.reduce((sum, report) => sum + report.durationMs, 0));
    log.info(
      { networks: reports.length, repaired: changes.length, durationMs },
      'data path compared with the kernel',
    );
  } catch (err) {
    log.warn({ err }, 'data path not compared with the kernel; will be retried');
  }
  return true;
}
