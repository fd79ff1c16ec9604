/**
 * New values for a model's parameters before training, drawn with the job's seed. A parameter is a float32 initializer
 * of rank 1 or more, or a float32 input of the graph whose shape is fixed: a graph without weights declares them as
 * inputs, and a rule makes them initializers. (What a dataset feeds has a symbolic first dimension.)
 */
import type { InitializeRule } from '../contracts/parameters.ts';
import { Fault } from '../errors.ts';
import { kaimingBound, normalValues, uniformValues, xavierBound } from '../onnx/distributions.ts';
import type { Model } from '../onnx/model.ts';
import { tensorProto } from '../onnx/tensor.ts';
import { signatureOf } from '../onnx/signature.ts';
import { matchesPattern } from '../patterns.ts';
import { createRandom, type Random } from '../random.ts';
import { elementCount } from '../tensors/tensor.ts';
import { rolesIn, type Role } from './roles.ts';

/** The stream of random numbers that initial values are drawn from: 'init' in ASCII. */
const STREAM = 0x696e6974;

interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly isInput: boolean;
  readonly role: Role | undefined;
}

interface Initialization {
  readonly parameter: Parameter;
  readonly rule: InitializeRule;
  /** Place among all parameters: its stream of random numbers, whatever the rules say of the others. */
  readonly index: number;
}

/**
 * The first rule that matches a name decides. `zeros`, `ones` and `normal` apply to whatever they match. `kaiming` and
 * `xavier` apply to the weights of MatMul, Gemm, Conv and ConvTranspose; as those methods assume, a bias behind one
 * becomes zero and the scale of a normalization one; an initializer that is neither keeps its value.
 * @param seed 0 to 2^32 - 1; the same one gives the same values
 * @returns the model itself where there are no rules
 * @throws Fault `unprocessable` for a rule that changes nothing, or an input that `kaiming` cannot scale
 */
export function initializeParameters(model: Model, rules: readonly InitializeRule[], seed: number): Model {
  const planned = new Map(plan(model, rules).map((each) => [each.parameter.name, each]));
  if (planned.size === 0) return model;
  const valueOf = ({ parameter: { name, shape, role }, rule, index }: Initialization) => {
    const data = values(rule, elementCount(shape), role, createRandom(seed, STREAM, index));
    return tensorProto(name, { dtype: 'F32', shape, data });
  };
  const { graph } = model;
  const initializer = graph.initializer.map((tensor) => {
    const found = planned.get(tensor.name);
    return found === undefined ? tensor : valueOf(found);
  });
  for (const each of planned.values()) if (each.parameter.isInput) initializer.push(valueOf(each));
  const input = graph.input.filter(({ name }) => planned.get(name)?.parameter.isInput !== true);
  return { ...model, graph: { ...graph, input, initializer } };
}

/**
 * The inputs that rules make parameters, without drawing anything: what is left is for data.
 * @throws Fault as {@link initializeParameters}
 */
export function initializedInputs(model: Model, rules: readonly InitializeRule[]): ReadonlySet<string> {
  const inputs = plan(model, rules).filter(({ parameter }) => parameter.isInput);
  return new Set(inputs.map(({ parameter }) => parameter.name));
}

function plan(model: Model, rules: readonly InitializeRule[]): Initialization[] {
  if (rules.length === 0) return [];
  const parameters = parametersOf(model);
  const planned = parameters.flatMap((parameter, index): Initialization[] => {
    const rule = rules.find(({ match }) => matchesPattern(match, parameter.name));
    if (rule === undefined) return [];
    if (needsRole(rule) && parameter.role === undefined) {
      if (!parameter.isInput) return [];
      throw new Fault(
        'unprocessable',
        `parameters.initialize: how ${parameter.name} is used gives no fan-in, which ${rule.with} needs; say normal, zeros or ones`,
        { field: 'parameters.initialize' },
      );
    }
    return [{ parameter, rule, index }];
  });
  const idle = rules.findIndex((rule) => !planned.some((each) => each.rule === rule));
  if (idle !== -1) {
    const field = `parameters.initialize[${idle}].match`;
    const names = parameters.map(({ name }) => name).join(', ') || 'none';
    throw new Fault(
      'unprocessable',
      `${field}: ${rules[idle]!.match} matches no parameter that ${rules[idle]!.with} applies to and no rule before takes; there are ${names}`,
      { field },
    );
  }
  return planned;
}

const needsRole = (rule: InitializeRule): boolean => rule.with === 'kaiming' || rule.with === 'xavier';

function parametersOf(model: Model): Parameter[] {
  const { graph } = model;
  const roleOf = rolesIn(graph.node);
  const initializers = graph.initializer.filter(({ dataType, dims }) => dataType === 1 && dims.length > 0);
  const inputs = signatureOf(model).inputs.flatMap(({ name, dtype, shape }) => {
    const isFixed = shape.every((dimension) => typeof dimension === 'number');
    return dtype === 'F32' && isFixed ? [{ name, shape: shape.map(Number) }] : [];
  });
  return [
    ...initializers.map(({ name, dims }) => ({
      name,
      shape: dims,
      isInput: false,
      role: roleOf(name, dims),
    })),
    ...inputs.map(({ name, shape }) => ({ name, shape, isInput: true, role: roleOf(name, shape) })),
  ];
}

function values(
  rule: InitializeRule,
  count: number,
  role: Role | undefined,
  random: Random,
): Float32Array<ArrayBuffer> {
  switch (rule.with) {
    case 'zeros':
      return new Float32Array(count);
    case 'ones':
      return new Float32Array(count).fill(1);
    case 'normal':
      return normalValues(count, rule.std, random);
    case 'kaiming':
    case 'xavier':
      if (role?.kind !== 'weight') return new Float32Array(count).fill(role?.kind === 'scale' ? 1 : 0);
      return uniformValues(
        count,
        rule.with === 'kaiming' ? kaimingBound(role.fanIn) : xavierBound(role.fanIn, role.fanOut),
        random,
      );
  }
}
