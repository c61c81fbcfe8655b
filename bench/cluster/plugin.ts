/** Docker's side of the plugin protocol, for asking a daemon as fast as an engine would. */
import { Agent, request } from 'node:http';

export interface Answer {
  readonly body: Readonly<Record<string, unknown>>;
  /** From before the request was sent until its answer was read, milliseconds. */
  readonly ms: number;
}

/** One kept connection, as dockerd has. */
export class PluginCaller implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** Throws what the plugin refuses. */
  async call(method: string, args: object): Promise<Answer> {
    const start = performance.now();
    const text = await this.#post(`/${method}`, JSON.stringify(args));
    const ms = performance.now() - start;
    const body = JSON.parse(text) as Record<string, unknown>;
    if (typeof body['Err'] === 'string' && body['Err'] !== '') {
      throw new Error(`${method}: ${body['Err']}`);
    }
    return { body, ms };
  }

  async #post(path: string, body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const sent = request(
        { socketPath: this.#socketPath, path, method: 'POST', agent: this.#agent },
        (reply) => {
          let text = '';
          reply.setEncoding('utf8');
          reply.on('data', (chunk: string) => (text += chunk));
          reply.on('end', () => resolve(text));
          reply.on('error', reject);
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}
