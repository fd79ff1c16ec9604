import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundedMap } from '../../core/bounded-map.ts';

describe('a bounded map', () => {
  it('forgets what was used least recently, and says so', () => {
    const gone: string[] = [];
    const map = boundedMap<string>(2, { forgotten: (value) => gone.push(value) });
    map.set('a', 'A');
    map.set('b', 'B');
    expect(map.get('a')).toBe('A');
    map.set('c', 'C');
    expect([map.get('a'), map.get('b'), map.get('c')]).toEqual(['A', undefined, 'C']);
    map.set('a', 'A2');
    map.set('d', 'D');
    expect([map.get('a'), map.get('c'), map.get('d')]).toEqual(['A2', undefined, 'D']);
    map.delete('d');
    map.delete('never');
    map.set('e', 'E');
    expect([map.get('a'), map.get('d'), map.get('e')]).toEqual(['A2', undefined, 'E']);
    expect(gone).toEqual(['B', 'C']);
  });

  it('does not keep what is too large, and forgets nothing else for it', () => {
    const map = boundedMap<number>(10, { sizeOf: (value) => value });
    map.set('a', 4);
    map.set('b', 6);
    map.set('a', 11);
    expect([map.get('a'), map.get('b')]).toEqual([undefined, 6]);
    map.set('c', 4);
    expect([map.get('b'), map.get('c')]).toEqual([6, 4]);
  });

  it('holds as much of what was used last as fits', () => {
    const step = fc.tuple(
      fc.constantFrom('get', 'set', 'delete'),
      fc.nat(5),
      fc.integer({ min: 0, max: 12 }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const map = boundedMap<number>(10, { sizeOf: (value) => value });
        /** Most recently used first. */
        let model: [string, number][] = [];
        for (const [what, n, size] of steps) {
          const key = `k${n}`;
          const known = model.find(([name]) => name === key);
          const others = model.filter(([name]) => name !== key);
          if (what === 'get') {
            expect(map.get(key)).toBe(known?.[1]);
            if (known !== undefined) model = [known, ...others];
          } else if (what === 'delete') {
            map.delete(key);
            model = others;
          } else {
            map.set(key, size);
            model = size > 10 ? others : [[key, size], ...others];
            while (model.reduce((sum, [, each]) => sum + each, 0) > 10) model.pop();
          }
        }
        for (const [key, size] of model.toReversed()) expect(map.get(key)).toBe(size);
        const names = model.map(([name]) => name);
        for (let n = 0; n <= 5; n++) if (!names.includes(`k${n}`)) expect(map.get(`k${n}`)).toBeUndefined();
      }),
    );
  });
});
