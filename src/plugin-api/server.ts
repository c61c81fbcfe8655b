import { claimUnixSocket } from '../util/index.js';
import { type PluginApiOptions, pluginApp } from './app.js';

export interface PluginServerOptions extends PluginApiOptions {
  /** Docker looks for the plugin NAME at /run/docker/plugins/NAME.sock, and nowhere else among sockets. */
  readonly socketPath: string;
}

/**
 * Answers Docker on a unix socket that only root can open (mode 0600).
 *
 * Disposing takes the path away, lets the calls that run end by their clock and answers them, then closes the connections.
 * Throws SOCKET_IN_USE when another process listens there; a dead process's socket is replaced.
 */
export async function openPluginServer(options: PluginServerOptions): Promise<AsyncDisposable> {
  const app = pluginApp(options);
  const calls = new CallCounter();
  app.addHook('onRequest', async () => calls.begin());
  app.addHook('onResponse', async () => calls.end());
  app.addHook('onSend', async (_request, reply) => {
    if (calls.isClosing) void reply.header('connection', 'close');
  });
  await app.ready();
  try {
    const path = await claimUnixSocket({
      path: options.socketPath,
      mode: 0o600,
      // Docker makes its run directory with the same mode.
      directoryMode: 0o700,
      listen: async (at) => app.listen({ path: at }),
    });
    return {
      [Symbol.asyncDispose]: async () => {
        calls.isClosing = true;
        await path[Symbol.asyncDispose]();
        await calls.allEnded();
        await app.close();
      },
    };
  } catch (error) {
    await app.close();
    throw error;
  }
}

/** Counts calls until their replies have left; each ends, because the call's clock ends it. */
class CallCounter {
  #running = 0;
  #whenNone: (() => void) | undefined;
  isClosing = false;

  begin(): void {
    this.#running += 1;
  }

  end(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#whenNone?.();
  }

  async allEnded(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenNone = resolve;
    });
  }
}
