/**
 * What wrr works with: the greatest weight and the step between weights (bpf/structs.h, `ek_service`).
 *
 * ip_vs_wrr.c. Pure.
 */

export interface WeightFigures {
  readonly max: number;
  /** Of the weights that are not 0; 1 when all are. */
  readonly gcd: number;
  readonly sum: number;
}

/** Over all servers of a service; overloaded ones count too. */
export function weightFigures(weights: readonly number[]): WeightFigures {
  let max = 0;
  let sum = 0;
  for (const weight of weights) {
    max = Math.max(max, weight);
    sum += weight;
  }
  return { max, gcd: greatestCommonDivisor(weights) || 1, sum };
}

/** Of the weights that are not 0; 0 when all are. */
export function greatestCommonDivisor(weights: readonly number[]): number {
  let divisor = 0;
  for (const weight of weights) {
    let rest = weight;
    while (rest > 0) [divisor, rest] = [rest, divisor % rest];
  }
  return divisor;
}
