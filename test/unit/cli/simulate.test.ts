/** The command itself, in a process of its own. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const CLI = fileURLToPath(new URL('../../../infra/cli/main.ts', import.meta.url));

const scenario = {
  name: 'mine',
  about: 'A test.',
  seconds: 5,
  targets: [{ id: 'a', place: 'edge', serviceMs: 5 }],
  traffic: [{ rate: [[0, 50]], deadlineMs: 100 }],
  objective: { p99Ms: 50 },
};

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-simulate-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** @param file for standard input */
function simulate(file: unknown, ...options: string[]) {
  return new Promise<{ code: number; out: string; error: string }>((resolve) => {
    const args = [CLI, 'simulate', '-', '--policies', 'random', ...options];
    const child = execFile(process.execPath, args, (thrown, out, error) =>
      resolve({ code: thrown === null ? 0 : Number(thrown.code), out, error }),
    );
    child.stdin?.end(JSON.stringify(file));
  });
}

describe.concurrent('causeway simulate', () => {
  test('reads a scenario from standard input; says what was refused and hedged; draws', async () => {
    const svg = join(folder, 'plot.svg');
    const { code, out } = await simulate(scenario, '--svg', svg);
    expect(code).toBe(0);
    expect(out).toMatch(/MISSED +REFUSED +HEDGED +EXTRA +OBJECTIVE/);
    expect(out).toMatch(/random .* met +a 100 %/);
    expect(await readFile(svg, 'utf8')).toMatch(/^<svg/);
  });

  test('a plot that cannot be written is refused before anything is computed', async () => {
    // A day of many requests would take minutes.
    const long = { ...scenario, seconds: 86_400, traffic: [{ rate: [[0, 5]] }] };
    const { code, out, error } = await simulate(long, '--svg', join(folder, 'no', 'plot.svg'));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(error).toBe(
      `causeway: --svg ${join(folder, 'no', 'plot.svg')}: cannot be written: there is no folder ${join(folder, 'no')}\n`,
    );
    const { error: ofFolder } = await simulate(long, '--svg', folder);
    expect(ofFolder).toBe(`causeway: --svg ${folder}: cannot be written: it is a folder\n`);
  });

  test('no requests by chance: nothing was measured', async () => {
    const { out } = await simulate({ ...scenario, traffic: [{ rate: [[0, 1e-9]] }] });
    expect(out).toMatch(/random +– .*– +nothing measured/);
    expect(out).not.toMatch(/ met/);
  });

  test('a rate that nobody can hold is one line, and names its field', async () => {
    const { code, error } = await simulate({ ...scenario, traffic: [{ rate: [[0, 1e9]] }] });
    expect(code).toBe(2);
    expect(error).toMatch(/^causeway: scenario: traffic\.0\.rate: [^\n]*at most 500000 are simulated\n$/);
  });
});
