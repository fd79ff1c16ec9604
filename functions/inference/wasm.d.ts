/** The bundler's CompiledWasm rule: an import of a .wasm file is its compiled module. */
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
