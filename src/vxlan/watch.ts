import { type Monitor, type Overrun, type RouteEvent, type nft } from '../netlink/index.js';
import type { Kernel, TableMonitorOptions } from './kernel.js';
import { News } from './news.js';

/** What may be wrong: something in the namespace, or no more than its tables of rules. */
export type Suspect = 'all' | 'rules';

export interface WatchOptions {
  readonly kernel: Kernel;
  readonly netnsFd: number;
  /** What an event is about, and whether it is what we want anyway, or of no concern. */
  readonly judge: (event: RouteEvent) => { readonly key: string; readonly isWanted: boolean };
  readonly onSuspect: (suspect: Suspect) => void;
  /** Whether a table is one that we look after. */
  readonly isOurs: (table: nft.TableRef) => boolean;
  /** The socket by which we change tables ourselves; undefined before it was used. */
  readonly ownPort: () => number | undefined;
}

/** Long enough for our own changes to get where they go, short enough that repair comes within a fraction of a second. */
const SETTLE_MS = 50;

/** The kernel's notifications of one namespace. One that failed is opened again by the next `ensure`. */
export class Watch implements AsyncDisposable {
  readonly #options: WatchOptions;
  readonly #news: News;
  #monitors: Monitor[] = [];

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#news = new News(() => {
      options.onSuspect('all');
    }, SETTLE_MS);
  }

  /** Whatever changes from then on is noticed: so watch first, and look then. */
  async ensure(): Promise<void> {
    if (this.#monitors.length > 0) return;
    const { kernel, netnsFd: netns, isOurs, onSuspect, ownPort } = this.#options;
    const onError = () => {
      this.#stop();
      onSuspect('all');
    };
    const onEvent = (event: RouteEvent | Overrun) => {
      this.#onEvent(event);
    };
    const groups = ['link', 'neighbor'] as const;
    const onTable: TableMonitorOptions['onEvent'] = (event) => {
      // Rules don't say in passing whether they are as we want them; but what we did ourselves is.
      if (event.type === 'overrun' || (isOurs(event) && event.by !== ownPort())) onSuspect('rules');
    };
    try {
      this.#monitors.push(await kernel.monitor({ netns, groups, onEvent, onError }));
      this.#monitors.push(await kernel.monitorTables({ netns, onEvent: onTable, onError }));
    } catch (error) {
      this.#stop();
      throw error;
    }
  }

  #onEvent(event: RouteEvent | Overrun): void {
    if (event.type === 'overrun') this.#options.onSuspect('all');
    else {
      const { key, isWanted } = this.#options.judge(event);
      this.#news.tell(key, isWanted);
    }
  }

  #stop(): void {
    for (const monitor of this.#monitors) monitor.close();
    this.#monitors = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#news.close();
    this.#stop();
  }
}
