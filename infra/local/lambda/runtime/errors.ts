/** Thrown values as Lambda's Node.js runtime reports them. */
import type { FunctionError } from '../invocation.ts';

export function functionError(thrown: unknown): FunctionError {
  if (thrown instanceof Error) return { errorType: thrown.name, errorMessage: thrown.message };
  return { errorType: typeof thrown, errorMessage: String(thrown) };
}

/** What stands in the way of loading a handler, by the code Node gives it. */
const LOAD_ERRORS: Readonly<Record<string, string>> = {
  ERR_MODULE_NOT_FOUND: 'Runtime.ImportModuleError',
  MODULE_NOT_FOUND: 'Runtime.ImportModuleError',
  ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX: 'Runtime.UserCodeSyntaxError',
  ERR_INVALID_TYPESCRIPT_SYNTAX: 'Runtime.UserCodeSyntaxError',
};

/** An error while the handler's module was loaded: its own name unless the module is missing or no program. */
export function loadError(thrown: unknown): FunctionError {
  const error = functionError(thrown);
  if (!(thrown instanceof Error)) return error;
  const { code } = thrown as NodeJS.ErrnoException;
  const errorType =
    LOAD_ERRORS[code ?? ''] ??
    (thrown instanceof SyntaxError ? 'Runtime.UserCodeSyntaxError' : error.errorType);
  return { errorType, errorMessage: `Error: ${error.errorMessage}` };
}
