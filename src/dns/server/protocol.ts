/** What the daemon and the thread or process that serves say to each other; plain JSON. */
import type { Upstream } from '../upstream.js';
import type { NamedHost, Share, ZoneOptions } from '../zone/index.js';

/** A container's network namespace, and the networks whose names it may ask for, in the order in which they are tried. */
export interface Sandbox {
  /** The namespace's file. */
  readonly path: string;
  readonly networks: readonly string[];
  /** Asked instead of Docker's resolver, when there are any. */
  readonly upstreams?: readonly Upstream[];
}

/**
 * Of the messages below. A process that hears another number ends, and its supervisor starts one that speaks this: raise it with
 * every change that an older process would misread.
 */
export const PROTOCOL = 2;

/** Given to the thread when it starts. */
export interface WorkerOptions extends ZoneOptions {
  /** Where the host itself is answered; undefined: nowhere. */
  readonly listen?: Upstream | undefined;
}

export type ToWorker =
  | { readonly type: 'share'; readonly share: Share }
  /** Of a share that was told: endpoints that came or are others now, and ids of those that went. */
  | { readonly type: 'part'; readonly share: Share; readonly gone: readonly string[] }
  | { readonly type: 'no-share'; readonly network: string; readonly host: string }
  /** Of this network there are shares of these hosts and no others: what was told before a restart may be more. */
  | { readonly type: 'only-hosts'; readonly network: string; readonly hosts: readonly string[] }
  /** There are these networks, and these namespaces to serve, and no others. */
  | {
      readonly type: 'only';
      readonly networks: readonly string[];
      readonly paths: readonly string[];
    }
  | { readonly type: 'hosts'; readonly hosts: readonly NamedHost[] }
  /** Serve it, or, when it is served, change its networks and upstreams. */
  | { readonly type: 'serve'; readonly sandbox: Sandbox }
  | { readonly type: 'leave'; readonly path: string }
  | { readonly type: 'close' };

/**
 * `waiting`: the namespace is not there yet; `serving` or `failed` follows. `failed`: it is left as it was, and Docker's own resolver
 * goes on alone.
 */
export type SandboxState = 'waiting' | 'serving' | 'failed';

export type FromWorker =
  | {
      readonly type: 'sandbox';
      readonly path: string;
      readonly state: SandboxState;
      /** Why it waits or failed. */
      readonly reason?: string;
    }
  /** The listener for the host; it never gives up. */
  | { readonly type: 'host'; readonly state: SandboxState; readonly reason?: string };

/** The first thing that a process is told on a connection. */
export interface Hello {
  readonly protocol: number;
  readonly options: WorkerOptions;
}
