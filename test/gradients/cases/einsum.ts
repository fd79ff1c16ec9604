import { type Case, param, symbolic } from './operands.ts';

const einsum = (equation: string, ...shapes: number[][]): Case => ({
  op: 'Einsum',
  about: equation,
  operands: shapes.map((shape) => param(...shape)),
  attributes: { equation },
});

export const EINSUM: readonly Case[] = [
  einsum('ij,jk->ik', [2, 3], [3, 4]),
  einsum('bhqd,bhkd->bhqk', [2, 2, 3, 2], [2, 2, 2, 2]),
  einsum('ij->ji', [2, 3]),
  einsum('ij->', [2, 3]),
  einsum('ij->i', [2, 3]),
  einsum('i,i', [3], [3]),
  einsum('i,j', [2], [3]),
  einsum('ba', [2, 3]),
  einsum('ij,j->', [2, 3], [3]),
  einsum('ij,k->j', [2, 3], [2]),
  einsum('...ij, ...jk -> ...ik', [2, 2, 3], [2, 3, 2]),
  einsum('...ij,jk->...ik', [2, 2, 2, 3], [3, 2]),
  einsum('...i,...i->...', [2, 4, 3], [2, 4, 3]),
  einsum('i...,i...', [2, 3], [2, 3]),
  einsum('ij,jk,kl->il', [2, 3], [3, 2], [2, 2]),
  einsum('i,ij,j->', [2], [2, 3], [3]),
  einsum('ii->i', [3, 3]),
  einsum('ii', [3, 3]),
  einsum('bii->bi', [2, 3, 3]),
  einsum('iij,j->i', [2, 2, 3], [3]),
  einsum('iii->i', [2, 2, 2]),
  einsum('ij,ij->j', [2, 3], [1, 3]),
  symbolic(einsum('bij,bjk->bik', [2, 2, 3], [2, 3, 2])),
  symbolic(einsum('ij->i', [2, 3])),
  symbolic(einsum('...i,...i->...', [2, 4, 3], [2, 4, 3])),
];
