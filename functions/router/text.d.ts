/** wrangler's Text rule: the file's contents. */
declare module '*.html' {
  const text: string;
  export default text;
}
declare module '*.css' {
  const text: string;
  export default text;
}
declare module '*.svg' {
  const text: string;
  export default text;
}
/** The only scripts that a Worker here imports are the dashboard's, which it serves. */
declare module '*.js' {
  const text: string;
  export default text;
}
