/** wrangler's Text rule: the file's contents. */
declare module '*.html' {
  const text: string;
  export default text;
}
