/**
 * The engine on this host, as far as weft needs it: networks with their endpoints, containers with their names and those
 * that do not run, and events.
 *
 * Promises: every call is bounded in time and size, every answer is checked. Does not: keep anything, or change anything in the engine
 * but networks of weft's own driver, and to start a container.
 */
export { type DockerAttachment, type DockerContainer, type ListedContainer } from './container.js';
export { DockerContainers, type StoppedContainer } from './containers.js';
export {
  DockerEngine,
  type DockerEndpoint,
  type DockerNetwork,
  type DockerNetworkDetail,
} from './engine.js';
export { DRIVER, type DockerNetworkSettings, type DockerPool } from './network-settings.js';
export { DockerError, type DockerDetail } from './errors.js';
export { type DockerEvent, type FollowOptions, followEvents } from './events.js';
