// A process that holds a directory until it is killed: node lock-holder.js DIRECTORY
import { DirectoryLock } from '../../src/util/index.js';

await DirectoryLock.acquire(process.argv[2] ?? '');
process.send?.('held');
setInterval(() => undefined, 60_000);
