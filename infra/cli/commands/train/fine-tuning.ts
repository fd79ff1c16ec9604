/** The options `--init` and `--lora`, and their notations. */
import { type Command, InvalidArgumentError } from 'commander';
import { LoraSpec } from '../../../../core/contracts/lora.ts';
import { InitializeRule } from '../../../../core/contracts/parameters.ts';
import { parse } from '../../../../core/contracts/parse.ts';
import { Fault } from '../../../../core/errors.ts';

export interface FineTuningOptions {
  readonly init?: readonly InitializeRule[];
  readonly lora?: LoraSpec;
}

export function withFineTuning(command: Command): Command {
  return command
    .option('--init <rules>', 'new initial values: kaiming, or head.*=xavier,*=normal:0.02', parseInit)
    .option(
      '--lora <spec>',
      'train adapters, and else what --only matches: rank=8,alpha=16,target=*.query.*|*.value.*',
      parseLora,
    );
}

const LORA_FORM = 'rank=<n>,alpha=<x>[,target=<pattern>[|<pattern>…]]';
const INIT_FORM = '<method> or <pattern>=<method>[,<pattern>=<method>…]';

/**
 * `rank=8,alpha=16,target=*.query.*|*.value.*`; `target` may be repeated instead, and left out it is every weight.
 * @throws InvalidArgumentError saying which part is wrong
 */
export function parseLora(text: string): LoraSpec {
  const target: string[] = [];
  const numbers: Record<string, number> = {};
  for (const part of text.split(',')) {
    const [key, value] = halves(part, part.indexOf('='), LORA_FORM);
    if (key === 'target') target.push(...value.split('|'));
    else if (key !== 'rank' && key !== 'alpha') throw malformed(`${key} is no part of it`, LORA_FORM);
    else if (key in numbers) throw malformed(`${key} is there twice`, LORA_FORM);
    else numbers[key] = numberOf(key, value, LORA_FORM);
  }
  for (const key of ['rank', 'alpha']) if (!(key in numbers)) throw malformed(`${key} is missing`, LORA_FORM);
  return checked(() => parse(LoraSpec, { ...numbers, ...(target.length === 0 ? {} : { target }) }));
}

/**
 * `kaiming`, for all there is, or `head.*=xavier,*.bias=zeros,*=normal:0.02`: of several that match the first decides.
 * @throws InvalidArgumentError saying which part is wrong
 */
export function parseInit(text: string): InitializeRule[] {
  return text.split(',').map((part) => {
    // A name may have an equals sign, a method has none.
    const at = part.lastIndexOf('=');
    const [match, method] = at === -1 ? ['*', part] : halves(part, at, INIT_FORM);
    const [name = '', std] = method.split(':');
    const rule = std === undefined ? {} : { std: numberOf(method, std, INIT_FORM) };
    if (!METHODS.has(name))
      throw malformed(`${name === '' ? 'nothing' : name} is none of ${[...METHODS].join(', ')}`, INIT_FORM);
    if (std !== undefined && name !== 'normal')
      throw malformed(`${name} takes no number, as in normal:0.02`, INIT_FORM);
    return checked(() => parse(InitializeRule, { match, with: name, ...rule }));
  });
}

const METHODS: ReadonlySet<string> = new Set(['kaiming', 'xavier', 'zeros', 'ones', 'normal']);

const malformed = (what: string, form: string) => new InvalidArgumentError(`It must be ${form}; ${what}.`);

function halves(part: string, at: number, form: string): [string, string] {
  const [key, value] = [part.slice(0, Math.max(at, 0)).trim(), part.slice(at + 1).trim()];
  if (at === -1) throw malformed(`"${part}" has no equals sign`, form);
  if (key === '' || value === '') throw malformed(`"${part}" lacks a side`, form);
  return [key, value];
}

function numberOf(what: string, text: string, form: string): number {
  const value = Number(text);
  if (text === '' || !Number.isFinite(value)) throw malformed(`${what}: "${text}" is no number`, form);
  return value;
}

/** What the contract refuses is the user's mistake too. */
function checked<T>(read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof Fault) throw new InvalidArgumentError(`${thrown.message}.`);
    throw thrown;
  }
}
