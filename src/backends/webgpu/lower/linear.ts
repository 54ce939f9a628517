// Lowering of linear layers: three products of matrices that stand in memory as they are.

import type { Kind } from "../../../program/operations.ts";
import { matrix, product, splitProduct, storing } from "./product.ts";
import type { Lowering } from "./simple.ts";

export const lowerLinear = {
  linear: ({ inputs: { x, w }, outputs: { y } }) => {
    const [n, c] = x.shape as [number, number];
    const o = w.shape[1];
    const a = matrix(x, "k", n, c);
    const b = matrix(w, "side", c, o);
    return [product({ label: "linear", m: n, n: o, k: c, a, b }, storing(n, o, y))];
  },
  linearInputGradient: ({ inputs: { dy, w }, outputs: { dx } }) => {
    const [n, o] = dy.shape as [number, number];
    const c = w.shape[0];
    const a = matrix(dy, "k", n, o);
    const b = matrix(w, "k", c, o);
    return [product({ label: "linearInputGradient", m: n, n: c, k: o, a, b }, storing(n, c, dx))];
  },
  linearWeightGradient: ({ inputs: { x, dy }, outputs: { dw } }) => {
    const [n, c] = x.shape as [number, number];
    const o = dy.shape[1];
    const a = matrix(x, "side", n, c);
    const b = matrix(dy, "side", n, o);
    return splitProduct({ label: "linearWeightGradient", m: c, n: o, k: n, a, b }, dw);
  },
} satisfies { readonly [K in Kind]?: Lowering<K> };
