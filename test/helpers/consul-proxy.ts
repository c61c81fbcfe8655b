import { once } from 'node:events';
import http, {
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/**
 * What happens to one request. `hold`: nothing is ever answered. `reset`: the connection goes. A function gets Consul's reply
 * and gives the one to send; `cutAt` sends the head, so many octets of the body, and then resets.
 */
export type Fate =
  | 'pass'
  | 'hold'
  | 'reset'
  | ((reply: Reply) => Reply & { readonly cutAt?: number });

/** Stands between a store and a real Consul and breaks what it is told to. */
export class ConsulProxy implements AsyncDisposable {
  readonly #target: string;
  readonly #agent = new http.Agent({ keepAlive: true });
  #server: http.Server | undefined;
  #port = 0;
  /** Decides for each request by method and URL. */
  fate: (request: string) => Fate = () => 'pass';
  /** Requests so far, as "GET /v1/kv/…". */
  readonly seen: string[] = [];

  private constructor(target: string) {
    this.#target = target;
  }

  static async start(target: string): Promise<ConsulProxy> {
    const proxy = new ConsulProxy(target);
    await proxy.listen();
    return proxy;
  }

  get address(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async listen(): Promise<void> {
    this.#server = http.createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Cuts every connection and refuses new ones until {@link listen}. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.refuse();
    this.#agent.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const line = `${request.method} ${request.url}`;
    this.seen.push(line);
    const fate = this.fate(line);
    if (fate === 'hold') return;
    if (fate === 'reset') {
      request.socket.resetAndDestroy();
      return;
    }
    const reply = await this.#forward(request, response);
    const answer: ReturnType<Exclude<Fate, string>> = fate === 'pass' ? reply : fate(reply);
    const { 'transfer-encoding': _, ...headers } = answer.headers;
    response.writeHead(answer.status, { ...headers, 'content-length': answer.body.length });
    if (answer.cutAt === undefined) {
      response.end(answer.body);
      return;
    }
    response.write(answer.body.subarray(0, answer.cutAt), () => response.destroy());
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<Reply> {
    const { method, headers, url = '' } = request;
    const options = { method, headers, agent: this.#agent };
    const forwarded = http.request(new URL(url, this.#target), options);
    response.once('close', () => forwarded.destroy());
    request.pipe(forwarded);
    const [reply] = (await once(forwarded, 'response')) as [IncomingMessage];
    return { status: reply.statusCode ?? 0, headers: reply.headers, body: await buffer(reply) };
  }
}
