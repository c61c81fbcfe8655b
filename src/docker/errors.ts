import { AppError } from '../util/index.js';

export type DockerDetail =
  /** The engine's socket is not there, does not answer in time, or breaks off. */
  | { readonly code: 'DOCKER_UNREACHABLE'; readonly socket: string }
  /** The engine answered, but not with what was asked for. */
  | { readonly code: 'DOCKER_REFUSED'; readonly path: string; readonly status: number }
  | { readonly code: 'DOCKER_UNREADABLE'; readonly path: string };

export class DockerError extends AppError<DockerDetail> {
  override readonly name = 'DockerError';
}
