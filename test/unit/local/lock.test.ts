import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lockState } from '../../../infra/local/lock.ts';

/** Of a process that has ended. */
let dead = 0;
let stateDir = '';

beforeAll(() => {
  dead = spawnSync(process.execPath, ['--version']).pid;
});
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'causeway-lock-'));
});
afterEach(() => rm(stateDir, { recursive: true }));

const write = (file: string, text: string) => writeFile(join(stateDir, file), text);
const pid = () => readFile(join(stateDir, 'pid'), 'utf8');

/** @returns what gives the directory back, of those that got it */
async function startMany(count: number) {
  const outcomes = await Promise.allSettled(Array.from({ length: count }, () => lockState(stateDir)));
  return outcomes.flatMap((outcome) => {
    if (outcome.status === 'fulfilled') return [outcome.value];
    expect(outcome.reason).toMatchObject({ code: 'conflict', field: 'state' });
    return [];
  });
}

describe('a state directory', () => {
  it('is held by one stack, and free again when that gives it back', async () => {
    const release = await lockState(stateDir);
    expect(await pid()).toMatch(new RegExp(`^${process.pid} `));
    await expect(lockState(stateDir)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(`in use by process ${process.pid}`),
    });
    await release();
    expect(await readdir(stateDir)).toEqual([]);
    await (
      await lockState(stateDir)
    )();
  });

  it('is held by another process that lives, also one that wrote its number alone', async () => {
    await write('pid', String(process.ppid));
    await expect(lockState(stateDir)).rejects.toMatchObject({ code: 'conflict' });
    expect(await pid()).toBe(String(process.ppid));
  });

  it.each([
    ['was killed', () => `${dead} 00000000-0000-4000-8000-000000000000`],
    ['was killed, of an older version', () => String(dead)],
    ['had the number of this process', () => `${process.pid} 00000000-0000-4000-8000-000000000000`],
    ['never wrote its number', () => ''],
  ])('is free where its holder %s', async (_, text) => {
    await write('pid', text());
    const release = await lockState(stateDir);
    expect(await readdir(stateDir)).toEqual(['pid']);
    expect(await pid()).toMatch(new RegExp(`^${process.pid} `));
    await release();
  });

  it('is free where who came after a killed one was killed on the way', async () => {
    await write('pid', `${dead} aaaa`);
    await write('pid-after-aaaa', `${dead} bbbb`);
    await lockState(stateDir);
    expect(await readdir(stateDir)).toEqual(['pid']);
    expect(await pid()).toMatch(new RegExp(`^${process.pid} `));
  });

  it('is held by who comes after a killed one, before its link is the first', async () => {
    await write('pid', `${dead} aaaa`);
    await write('pid-after-aaaa', `${process.ppid} bbbb`);
    await expect(lockState(stateDir)).rejects.toMatchObject({ code: 'conflict' });
  });

  it.each([
    ['there is no holder', undefined],
    ['the holder was killed', () => `${dead} aaaa`],
    ['the holder never wrote its number', () => ''],
  ])('goes to one of many that come at once where %s', async (_, text) => {
    for (let round = 0; round < 20; round++) {
      if (text !== undefined) await write('pid', text());
      const winners = await startMany(6);
      expect(winners.length).toBe(1);
      await winners[0]?.();
      expect(await readdir(stateDir)).toEqual([]);
    }
  });

  it('is not given back by who does not hold it any more', async () => {
    const release = await lockState(stateDir);
    await write('pid', `${process.ppid} cccc`);
    await release();
    expect(await pid()).toBe(`${process.ppid} cccc`);
  });
});
