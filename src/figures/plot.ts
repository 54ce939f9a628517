// Observable Plot without a browser: its marks as SVG markup for a sheet, and the ticks of its axes.

import type { PlotOptions } from "@observablehq/plot";
import { fontSize } from "./sheet.ts";

export type Plot = typeof import("@observablehq/plot");

/**
 * Loaded when the first figure is drawn: the two packages take a fifth of a second. Options that need an id in the
 * SVG (`clip`, `marker`) count up through the process, so their bytes would depend on what was drawn before.
 */
export async function plotMarkup(build: (plot: Plot) => PlotOptions): Promise<string> {
  const [plot, { DOMParser }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const document = new DOMParser().parseFromString("<svg/>", "image/svg+xml") as unknown as Document;
  const svg = plot.plot({ ...build(plot), document });
  svg.querySelector("style")?.remove();
  return `<g fill="currentColor" font-size="${fontSize}" text-anchor="middle">${svg.innerHTML}</g>`;
}

export interface Ticks {
  readonly values: number[];
  readonly format: (value: number) => string;
}

/** About `count` round values from at or below `low` to at or above `high`. */
export function linearTicks(low: number, high: number, count: number): Ticks {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= raw * 0.999) ?? 10);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const values = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return { values, format: (value) => formatNumber(value, digits) };
}

/** 1, 10, 100 … within the limits, with 2 and 5 between where decades alone would be few. */
export function logTicks(low: number, high: number): Ticks {
  const first = Math.floor(Math.log10(low));
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - first + 1 }, (_, i) => first + i);
  const times = (factors: number[]): number[] =>
    powers
      .flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)))
      .filter((value) => value >= low && value <= high);
  const decades = times([1]);
  const stride = Math.ceil(decades.length / 8);
  const values = decades.length < 4 ? times([1, 2, 5]) : decades.filter((_, i) => i % stride === 0);
  return { values, format: (value) => formatNumber(value) };
}

function formatNumber(value: number, digits?: number): string {
  const size = Math.abs(value);
  if (size >= 1e7 || (digits ?? 0) > 5 || (size > 0 && size < 1e-4))
    return Number(value.toPrecision(9)).toExponential().replace("e+", "e").replace("-", "−");
  const fraction = digits ?? (size < 1 ? 5 : 2);
  return value
    .toLocaleString("en-US", { maximumFractionDigits: fraction, minimumFractionDigits: digits ?? 0 })
    .replace("-", "−");
}
