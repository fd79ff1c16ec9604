const utf8 = new TextEncoder();

/** llama2.c's `tokenizer.bin`: unknown, begin, end, the 256 bytes, then these pieces with their scores. */
export function tokenizerFile(
  words: readonly (readonly [piece: string, score: number])[],
  byteToken = (value: number) => `<0x${value.toString(16).toUpperCase().padStart(2, '0')}>`,
): Uint8Array<ArrayBuffer> {
  const bytes = Array.from({ length: 256 }, (_, value) => [byteToken(value), 0] as const);
  const tokens = [
    ['<unk>', 0] as const,
    ['\n<s>\n', 0] as const,
    ['\n</s>\n', 0] as const,
    ...bytes,
    ...words,
  ];
  const pieces = tokens.map(([piece]) => utf8.encode(piece));
  const file = new Uint8Array(4 + pieces.reduce((sum, piece) => sum + 8 + piece.length, 0));
  const view = new DataView(file.buffer);
  view.setUint32(0, Math.max(...pieces.map((piece) => piece.length)), true);
  let at = 4;
  pieces.forEach((piece, i) => {
    view.setFloat32(at, tokens[i]![1], true);
    view.setUint32(at + 4, piece.length, true);
    file.set(piece, at + 8);
    at += 8 + piece.length;
  });
  return file;
}
