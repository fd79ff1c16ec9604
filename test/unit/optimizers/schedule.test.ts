import { describe, expect, it } from 'vitest';
import { ScheduleSpec } from '../../../core/contracts/optimizer.ts';
import { checkSchedule, learningRateAt } from '../../../core/optimizers/schedule.ts';

const rates = (request: unknown, steps: number, base = 0.5) => {
  const schedule = ScheduleSpec.parse(request);
  return Array.from({ length: steps }, (_, step) => learningRateAt(schedule, base, step, steps));
};

describe('schedules', () => {
  it('begin at the base rate; linear and cosine end at zero', () => {
    for (const kind of ['constant', 'linear', 'cosine']) {
      expect(rates(kind, 11)[0]).toBe(0.5);
      expect(rates(kind, 1)).toEqual([0.5]);
    }
    expect(rates('constant', 11)[10]).toBe(0.5);
    const linear = rates('linear', 11);
    expect(linear[5]).toBeCloseTo(0.25, 12);
    expect(linear[10]).toBe(0);
    const cosine = rates('cosine', 11);
    expect(cosine[5]).toBeCloseTo(0.25, 12);
    expect(cosine[2]).toBeCloseTo((0.5 * (1 + Math.cos(0.2 * Math.PI))) / 2, 12);
    expect(cosine[10]).toBeCloseTo(0, 12);
  });

  it('end at their floor', () => {
    for (const kind of ['linear', 'cosine']) {
      const all = rates({ kind, floor: 0.1 }, 11);
      expect(all[0]).toBe(0.5);
      expect(all[5]).toBeCloseTo(0.5 * 0.55, 12);
      expect(all[10]).toBeCloseTo(0.05, 12);
    }
  });

  it('warm up in equal parts from above zero, then begin as if there had been no warm-up', () => {
    const warm = rates({ kind: 'linear', warmupSteps: 4 }, 15);
    expect(warm.slice(0, 5)).toEqual([0.1, 0.2, 0.3, 0.4, 0.5].map((rate) => expect.closeTo(rate, 12)));
    expect(warm.slice(4)).toEqual(rates('linear', 11));
    expect(rates({ kind: 'constant', warmupSteps: 1 }, 3)).toEqual([0.25, 0.5, 0.5]);
    // Nothing is left to decay over: no division by zero.
    expect(rates({ kind: 'cosine', warmupSteps: 2 }, 3)[2]).toBe(0.5);
  });

  it('step falls by its factor every so many steps after the warm-up', () => {
    const all = rates({ kind: 'step', warmupSteps: 1, every: 2, factor: 0.5 }, 7, 8);
    expect(all).toEqual([4, 8, 8, 4, 4, 2, 2]);
  });

  it('refuse a warm-up longer than the job', () => {
    const schedule = ScheduleSpec.parse({ kind: 'cosine', warmupSteps: 10 });
    expect(() => checkSchedule(schedule, 11)).not.toThrow();
    expect(() => checkSchedule(schedule, 10)).toThrow(/schedule.warmupSteps: 10, but the job has 10 steps/);
  });
});
