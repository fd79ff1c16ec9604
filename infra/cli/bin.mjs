#!/usr/bin/env node
// The `causeway` command. Plain JavaScript, because the Node that finds it may be too old to run TypeScript: the
// project brings its own (the `node` package), and everything else runs under that one.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packaged = dirname(createRequire(import.meta.url).resolve('node/package.json'));
const node = join(packaged, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const main = fileURLToPath(new URL('main.ts', import.meta.url));
const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: 'inherit' });
// The terminal sends Ctrl-C to both; the child decides when it has stopped.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 130)));
