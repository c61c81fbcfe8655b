import { once } from 'node:events';
import { type Server, type Socket, createConnection, createServer } from 'node:net';

/**
 * Stands between a daemon and the socket of a real engine. All passes as it is; only the event stream can be made to stand still, which
 * no signal does: a stopped engine starts no container, and a stopped daemon reads nothing else either.
 */
export class DockerProxy implements AsyncDisposable {
  readonly #engine: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #streams = new Map<Socket, Socket>();
  #isStalled = false;

  private constructor(engine: string) {
    this.#engine = engine;
    this.#server = createServer((client) => this.#serve(client));
  }

  /** `path` is where it listens, `engine` the socket behind it. */
  static async start(path: string, engine: string): Promise<DockerProxy> {
    const proxy = new DockerProxy(engine);
    proxy.#server.listen(path);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** Event streams that are open. */
  get streams(): number {
    return this.#streams.size;
  }

  /** From now on no event is read from the engine. */
  stall(): void {
    this.#isStalled = true;
    for (const [engine, client] of this.#streams) engine.unpipe(client).pause();
  }

  /** What the engine kept comes late, and the rest goes on. */
  resume(): void {
    this.#isStalled = false;
    for (const [engine, client] of this.#streams) engine.pipe(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(client: Socket): void {
    const engine = createConnection(this.#engine);
    for (const [socket, other] of [
      [client, engine],
      [engine, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        this.#streams.delete(socket);
        other.destroy();
      });
    }
    // weft makes a connection for each request.
    client.once('data', (head: Buffer) => {
      if (!head.toString('latin1').startsWith('GET /events')) return;
      this.#streams.set(engine, client);
      if (this.#isStalled) engine.unpipe(client).pause();
    });
    client.pipe(engine);
    engine.pipe(client);
  }
}
