// Lowering of the input gradient of a convolution that strides, where nothing is fused around it: one product for each phase of the
// result's pixels, with the taps that reach them. Objects list their words in the order of kernels/transposed.ts.

import type { Operation } from "../../../program/program.ts";
import type { Launch, Places } from "../launch.ts";
import { extents4, scratchPlan } from "./convolution.ts";
import { padded, panelsOf } from "./packing.ts";

/** Scratch for the patches of a task's images, so that they stand in a second-level cache. */
const matrixBytes = 256 * 1024;

/** The taps k ≡ result + padding (modulo the stride) along one side, for the pixels result, result + stride, … below `extent`. */
function phasesAlong(extent: number, kernel: number, stride: number, padding: number) {
  return Array.from({ length: Math.min(stride, extent) }, (_, start) => {
    const remainder = (start + padding) % stride;
    const taps = Math.max(0, Math.ceil((kernel - remainder) / stride));
    const last = remainder + (taps - 1) * stride;
    // The result's pixel start + i·stride reads the error's pixels i + offset … i + offset + taps − 1.
    return {
      start,
      taps,
      last,
      pixels: Math.ceil((extent - start) / stride),
      offset: (start + padding - last) / stride,
    };
  });
}

export function lowerTransposed(
  { inputs: { dy, w }, outputs: { dx }, attributes: { stride, padding } }: Operation<"conv2dInputGradient">,
  places: Places,
): Launch[] {
  const [n, oh, ow, o] = extents4(dy);
  const [kh, kw, c] = extents4(w);
  const [, h, width] = extents4(dx);
  const vertical = phasesAlong(h, kh, stride, padding);
  const horizontal = phasesAlong(width, kw, stride, padding);
  const span = (phases: typeof vertical): { border: number; length: number } => {
    const seen = phases.filter(({ taps }) => taps > 0);
    const border = Math.max(0, ...seen.map(({ offset }) => -offset));
    return { border, length: Math.max(...seen.map(({ pixels, offset, taps }) => border + offset + pixels - 1 + taps)) };
  };
  const [rows, columns] = [span(vertical), span(horizontal)];

  const packing: Launch[] = [];
  const phases = vertical.flatMap((y) =>
    horizontal.map((x) => {
      const taps = y.taps * x.taps;
      const panels = panelsOf(c, places);
      const weights = places.scratch(4 * taps * o * padded(c, places));
      const pack = {
        w: places.at(w),
        panels: weights,
        lastY: y.last,
        lastX: x.last,
        rows: y.taps,
        columns: x.taps,
        stride,
        kw,
        c,
        o,
      };
      if (taps > 0) packing.push({ kernel: "packPhase", words: Object.values(pack), tasks: panels * taps });
      const seen = taps > 0;
      return {
        weights,
        y: y.start,
        x: x.start,
        rows: y.pixels,
        columns: x.pixels,
        top: seen ? rows.border + y.offset : 0,
        left: seen ? columns.border + x.offset : 0,
        kh: seen ? y.taps : 0,
        kw: seen ? x.taps : 0,
      };
    }),
  );
  const pixels = Math.max(...phases.map((phase) => phase.rows * phase.columns));
  const patches = Math.max(...phases.map((phase) => phase.rows * phase.columns * phase.kh * phase.kw * o));
  const images = Math.max(1, Math.min(n, Math.floor(matrixBytes / (4 * patches))));
  const plan = scratchPlan();
  const job = {
    dy: places.at(dy),
    dx: places.at(dx),
    n,
    images,
    oh,
    ow,
    o,
    h,
    w: width,
    c,
    stride,
    border: rows.border,
    borderLeft: columns.border,
    pictureRows: rows.length,
    pictureColumns: columns.length,
    phases: phases.length,
    picture: plan.place(images * rows.length * columns.length * o),
    matrix: plan.place(images * patches),
    result: plan.place(images * pixels * padded(c, places)),
  };
  const words = [job, ...phases].flatMap((block) => Object.values<number>(block));
  return [
    ...packing,
    {
      kernel: "transposedConvolution",
      words,
      tasks: Math.ceil(n / images),
      scratchBytes: plan.bytes(),
    },
  ];
}
