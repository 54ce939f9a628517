// Orientation tuning by gratings: circular variance (Ringach, Shapley & Hawken 2002), orientation selectivity index, and F1/F0 (Skottun et al. 1991).

import { wrong } from "../../program/errors.ts";
import type { Gratings } from "./stimuli.ts";

export interface Tuning {
  /** Mean angle of the bars that are answered to, in degrees from 0 to 180, counter-clockwise from horizontal. */
  readonly preferred: number;
  /** Cycles a pixel, of the grating with the largest mean response over phases. */
  readonly frequency: number;
  /** 1 − |Σ r e^{2iθ}|/Σ r over orientations, r the mean over phases: 0 answers to one orientation, 1 to all alike. */
  readonly circularVariance: number;
  /** (r_pref − r_orth)/(r_pref + r_orth), r_pref the largest. */
  readonly selectivity: number;
  /** Amplitude of the response's first harmonic over phases, over its mean, at the best grating: above 1 as simple cells, below as complex ones. */
  readonly modulation: number;
  /** r at each orientation, at the preferred frequency, over r_pref. */
  readonly curve: readonly number[];
}

/**
 * Of one unit's responses to all gratings in their order, and to the grey picture after them. A response is what is above that to grey,
 * rectified. `undefined` where no grating is answered to.
 */
export function tuningOf(
  responses: ArrayLike<number>,
  { orientations, frequencies, phases }: Omit<Gratings, "set">,
): Tuning | undefined {
  const count = orientations.length * frequencies.length * phases;
  if (responses.length !== count + 1)
    throw wrong("tuning", "responses", `${count + 1}, to every grating and to grey`, responses.length);
  const baseline = responses[count];
  const response = (o: number, f: number, phase: number): number =>
    Math.max(0, responses[(o * frequencies.length + f) * phases + phase] - baseline);
  const mean = (o: number, f: number): number => {
    let sum = 0;
    for (let phase = 0; phase < phases; phase++) sum += response(o, f, phase);
    return sum / phases;
  };
  let best = { o: 0, f: 0, mean: 0 };
  for (const o of orientations.keys())
    for (const f of frequencies.keys()) {
      const value = mean(o, f);
      if (value > best.mean) best = { o, f, mean: value };
    }
  if (!(best.mean > 0)) return undefined;

  const curve = orientations.map((_, o) => mean(o, best.f));
  const total = curve.reduce((sum, r) => sum + r, 0);
  const [along, across] = [Math.cos, Math.sin].map((of) =>
    curve.reduce((sum, r, o) => sum + r * of((2 * orientations[o] * Math.PI) / 180), 0),
  );
  const orthogonal = curve[(best.o + orientations.length / 2) % orientations.length];
  let [real, imaginary] = [0, 0];
  for (let phase = 0; phase < phases; phase++) {
    const r = response(best.o, best.f, phase);
    real += r * Math.cos((2 * Math.PI * phase) / phases);
    imaginary += r * Math.sin((2 * Math.PI * phase) / phases);
  }
  return {
    preferred: ((Math.atan2(across, along) * 90) / Math.PI + 180) % 180,
    frequency: frequencies[best.f],
    circularVariance: 1 - Math.hypot(along, across) / total,
    selectivity: (best.mean - orthogonal) / (best.mean + orthogonal),
    modulation: (2 * Math.hypot(real, imaginary)) / phases / best.mean,
    curve: curve.map((r) => r / best.mean),
  };
}
