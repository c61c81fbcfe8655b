import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runOk } from '../../lab/index.js';

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM text. */
  readonly cert: string;
  readonly key: string;
}

/** An authority of our own, made with openssl in a directory of the caller's. */
export class Authority {
  readonly certFile: string;
  readonly cert: string;
  readonly #dir: string;
  readonly #name: string;

  private constructor(dir: string, name: string, cert: string) {
    this.#dir = dir;
    this.#name = name;
    this.certFile = join(dir, `${name}.pem`);
    this.cert = cert;
  }

  static async make(dir: string, name: string): Promise<Authority> {
    const [cert, key] = [join(dir, `${name}.pem`), join(dir, `${name}.key`)];
    const subject = ['-subj', `/CN=${name}`, '-days', '2'];
    await runOk([...newKey(key), '-x509', '-out', cert, ...subject]);
    return new Authority(dir, name, await readFile(cert, 'utf8'));
  }

  /** A certificate for `names`, say `DNS:consul.test` or `IP:127.0.0.1`. */
  async issue(subject: string, names: readonly string[]): Promise<Certificate> {
    const at = (ending: string): string => join(this.#dir, `${subject}.${ending}`);
    await runOk([...newKey(at('key')), '-out', at('csr'), '-subj', `/CN=${subject}`]);
    await writeFile(at('ext'), names.length > 0 ? `subjectAltName=${names.join(',')}\n` : '');
    const request = ['openssl', 'x509', '-req', '-in', at('csr'), '-out', at('pem'), '-days', '2'];
    const signer = ['-CA', this.certFile, '-CAkey', join(this.#dir, `${this.#name}.key`)];
    await runOk([...request, ...signer, '-CAcreateserial', '-extfile', at('ext')]);
    return {
      certFile: at('pem'),
      keyFile: at('key'),
      cert: await readFile(at('pem'), 'utf8'),
      key: await readFile(at('key'), 'utf8'),
    };
  }
}

function newKey(file: string): string[] {
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  return ['openssl', 'req', '-nodes', ...curve, '-keyout', file];
}
