/** The two ways in which weights decay. */
import { add, mul, sub } from './expression.ts';
import { type DecaySource, decayOf, GRADIENT, LEARNING_RATE, PARAMETERS } from './interface.ts';

/** L2 regularization: the gradient of λ/2·‖θ‖² is added to the loss's, and goes through the optimizer with it. */
export function regularizedGradient(source: DecaySource) {
  const decay = decayOf(source);
  return decay === undefined ? GRADIENT : add(GRADIENT, mul(decay, PARAMETERS));
}

/** Decoupled (Loshchilov & Hutter 2019, arXiv:1711.05101): θ − αλθ, whatever the optimizer makes of the gradient. */
export function decayedParameters(source: DecaySource) {
  const decay = decayOf(source);
  return decay === undefined ? PARAMETERS : sub(PARAMETERS, mul(mul(LEARNING_RATE, decay), PARAMETERS));
}
