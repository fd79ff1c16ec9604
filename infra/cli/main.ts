/** The `causeway` command. */
import { enableCompileCache } from 'node:module';

// Reading and compiling the sources is more than half of what a short command takes: Node keeps the result.
enableCompileCache();
await import('./program.ts');
