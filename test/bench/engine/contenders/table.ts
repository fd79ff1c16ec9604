/** Ours first. The competitors' packages are installed beside this file's folder, not with the project. */
export const CONTENDERS = {
  'causeway, onnxruntime-node': 'contenders/native.ts',
  'causeway, onnxruntime-web': 'contenders/web.ts',
  'jax-js, wasm': 'competitors/jax.ts',
  'tfjs, wasm': 'competitors/tfjs.ts',
} as const;

export type ContenderName = keyof typeof CONTENDERS;
export const OURS: ContenderName = 'causeway, onnxruntime-node';
export const CONTENDER_NAMES = Object.keys(CONTENDERS) as ContenderName[];
