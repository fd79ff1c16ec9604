/** Counts items on a thread of its own, whose heap the test makes small. */
import { parentPort, workerData } from 'node:worker_threads';
import { countItems } from '../../../core/fan-out/items.ts';

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread's port, not a window
parentPort!.postMessage(countItems(workerData as Uint8Array));
