// BatchNorm as it is evaluated, folded into the convolution that it follows (Jacob et al. 2018, arXiv:1712.05877, eq. 14): exact but for rounding.
//
// y = γ (W x + b − μ) / √(σ² + ε) + β is a convolution again, with W' = W s and b' = (b − μ) s + β, s = γ / √(σ² + ε), output by output.

import { SaccadeError } from "../program/errors.ts";
import type { Array32 } from "../training/torch-layout.ts";

/** A BatchNorm's tensors, by the end of their names; γ and β are 1 and 0 where it has none. */
export interface BatchNorm {
  /** What its names begin with. */
  readonly name: string;
  readonly tensors: ReadonlyMap<string, Array32>;
}

/** Whether tensors of one beginning are a BatchNorm's. */
export const isBatchNorm = (ends: readonly string[]): boolean =>
  ends.includes("running_mean") && ends.includes("running_var");

/** weight [out, in, k, k] and bias [out] of a convolution → those of it and the BatchNorm behind it. */
export function foldBatchNorm(
  path: string,
  { weight, bias }: { readonly weight: Array32; readonly bias: Array32 | undefined },
  { name, tensors }: BatchNorm,
  epsilon: number,
): { readonly weight: Array32; readonly bias: Array32 } {
  const [outputs] = weight.shape;
  const each = weight.data.length / outputs;
  const numbers = (end: string, otherwise: number): Float32Array => {
    const found = tensors.get(end);
    if (found === undefined) return new Float32Array(outputs).fill(otherwise);
    if (found.shape.join() !== String(outputs))
      throw new SaccadeError(
        `${path}: ${name}.${end} must be [${outputs}], the outputs of the convolution before it, got [${found.shape.join(", ")}]; --leave-out ${name} if it comes after the last block`,
      );
    return found.data;
  };
  const [mean, variance] = [numbers("running_mean", 0), numbers("running_var", 1)];
  const [gamma, beta] = [numbers("weight", 1), numbers("bias", 0)];
  const scales = Float64Array.from(gamma, (value, o) => value / Math.sqrt(variance[o] + epsilon));
  return {
    weight: { shape: weight.shape, data: weight.data.map((value, i) => value * scales[Math.floor(i / each)]) },
    bias: {
      shape: [outputs],
      data: Float32Array.from(beta, (value, o) => ((bias?.data[o] ?? 0) - mean[o]) * scales[o] + value),
    },
  };
}
