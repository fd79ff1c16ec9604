/** Texts and their class ids: as they come while a table is read first, in the order of the texts from then on. */
import { Fault } from '../../errors.ts';

/** More texts than this are names or sentences, not classes. */
const MAX_TEXTS = 10_000;

export interface Category {
  /** @throws Fault `invalid` where there are too many texts for a category */
  idOf(text: string): number;
  /** Numbers the texts anew, in the order of their UTF-16 units: whatever the order of the rows. */
  settle(): void;
  labels(): string[];
}

/** @param column for messages */
export function category(column: string): Category {
  let ids = new Map<string, number>();
  return {
    idOf(text) {
      const known = ids.get(text);
      if (known !== undefined) return known;
      if (ids.size === MAX_TEXTS)
        throw new Fault(
          'invalid',
          `column ${column} has more than ${MAX_TEXTS} different texts: leave it out with --drop ${column}`,
          { field: 'drop' },
        );
      const id = ids.size;
      ids.set(text, id);
      return id;
    },
    settle() {
      ids = new Map([...ids.keys()].sort().map((text, id) => [text, id]));
    },
    labels: () => [...ids.keys()],
  };
}
