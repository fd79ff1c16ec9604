import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));
export const fromRepository = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
