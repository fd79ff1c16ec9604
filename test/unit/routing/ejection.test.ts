import { describe, expect, it } from 'vitest';
import {
  BASE_EJECTION_MS,
  CONSECUTIVE_FAILURES,
  failed,
  type Health,
  healthAt,
  HEALTHY,
  MAX_EJECTION_MS,
  succeeded,
  TRIAL_MS,
  trialAbandoned,
  trialStarted,
  trialUnderWay,
} from '../../../core/routing/ejection.ts';

/** Fails until it is ejected. */
function eject(health: Health, now: number): Health & { kind: 'ejected' } {
  let next = health;
  for (let i = 0; i < CONSECUTIVE_FAILURES && next.kind === 'healthy'; i++)
    next = failed(next, now, now, true);
  if (next.kind !== 'ejected') throw new Error('not ejected');
  return next;
}

describe('ejection', () => {
  it('takes five failures in a row; an answer in between starts the count anew', () => {
    let health = HEALTHY;
    for (let i = 0; i < CONSECUTIVE_FAILURES - 1; i++) health = failed(health, 0, 0, true);
    health = failed(succeeded(health, 0, 0), 0, 0, true);
    expect(healthAt(health, 0)).toBe('healthy');
    for (let i = 0; i < CONSECUTIVE_FAILURES - 2; i++) health = failed(health, 0, 0, true);
    expect(healthAt(health, 0)).toBe('healthy');
    expect(healthAt(failed(health, 0, 0, true), 0)).toBe('ejected');
  });

  it('never takes the last healthy target, and takes it with the next failure when another is back', () => {
    let health: Health = HEALTHY;
    for (let i = 0; i < 3 * CONSECUTIVE_FAILURES; i++) health = failed(health, 0, 0, false);
    expect(healthAt(health, 0)).toBe('healthy');
    expect(healthAt(failed(health, 0, 0, true), 0)).toBe('ejected');
  });

  it('lasts 30 s, then it is half-open until an answer', () => {
    const health = eject(HEALTHY, 1_000);
    expect(healthAt(health, 1_000 + BASE_EJECTION_MS - 1)).toBe('ejected');
    expect(healthAt(health, 1_000 + BASE_EJECTION_MS)).toBe('half-open');
    expect(healthAt(succeeded(health, 40_000, 40_001), 40_001)).toBe('healthy');
  });

  it('lasts longer each time, to 300 s: one failure of a half-open target ejects it again', () => {
    let health: Health = eject(HEALTHY, 0);
    for (let times = 2; times <= 12; times++) {
      const { until } = health as Health & { kind: 'ejected' };
      health = failed(health, until, until, true);
      const next = health as Health & { kind: 'ejected' };
      expect(next.until - until).toBe(Math.min(MAX_EJECTION_MS, BASE_EJECTION_MS * times));
    }
  });

  it('is forgiven, one for every 30 s of health', () => {
    const twice = failed(eject(HEALTHY, 0), 30_000, 30_000, true);
    const back = succeeded(twice, 100_000, 100_000);
    expect(eject(back, 100_001).ejections).toBe(3);
    expect(eject(back, 100_000 + BASE_EJECTION_MS).ejections).toBe(2);
    expect(eject(back, 100_000 + 20 * BASE_EJECTION_MS).ejections).toBe(1);
  });

  it('does not listen to requests from before', () => {
    const health = eject(HEALTHY, 1_000);
    expect(succeeded(health, 999, 2_000)).toBe(health);
    expect(failed(health, 20_000, 32_000, true)).toBe(health);
  });

  it('lets one trial through at a time, and another when nothing is heard of it', () => {
    const health = eject(HEALTHY, 0);
    const tried = trialStarted(health, BASE_EJECTION_MS);
    expect(trialUnderWay(health, BASE_EJECTION_MS)).toBe(false);
    expect(trialUnderWay(tried, BASE_EJECTION_MS + 1)).toBe(true);
    expect(trialUnderWay(tried, BASE_EJECTION_MS + TRIAL_MS)).toBe(false);
    expect(trialUnderWay(trialAbandoned(tried), BASE_EJECTION_MS + 1)).toBe(false);
  });
});
