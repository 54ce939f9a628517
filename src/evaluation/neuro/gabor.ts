// The best Gabor function for a receptive field, and the share of the field's variance that it explains (Jones & Palmer 1987).
//
// A Gaussian envelope times a·cos + b·sin of a wave, plus nothing: for given place, widths, orientation and frequency, a and b are a linear
// regression, so that only six numbers are searched (variable projection, Golub & Pereyra 1973), by Nelder & Mead's simplex from a grid.

export interface Gabor {
  /** 1 − residual/total sum of squares of the field about its mean; NaN for a field of one value. */
  readonly r2: number;
  /** Of the envelope's middle, in pixels from the field's. */
  readonly x: number;
  readonly y: number;
  /** Standard deviations of the envelope across and along the bars, in pixels. */
  readonly across: number;
  readonly along: number;
  /** Angle of the bars in degrees from 0 to 180, counter-clockwise from horizontal. */
  readonly orientation: number;
  /** Cycles a pixel. */
  readonly frequency: number;
}

/** x, y, ln across, ln along, orientation in radians, frequency. */
type Parameters = readonly number[];

/** `field` [side, side]. */
export function fitGabor(field: Float64Array): Gabor {
  const side = Math.sqrt(field.length);
  const mean = field.reduce((sum, value) => sum + value, 0) / field.length;
  const total = field.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const residual = (parameters: Parameters): number => residualOf(field, side, parameters);
  const starts: { at: Parameters; left: number }[] = [];
  const { x, y } = centreOf(field, side, mean);
  for (const size of [side / 6, side / 3])
    for (let turn = 0; turn < 6; turn++)
      for (const cycles of [0.5, 1, 1.5, 2.5]) {
        const at = [x, y, Math.log(size), Math.log(size), (turn * Math.PI) / 6, Math.min(0.5, cycles / side)];
        starts.push({ at, left: residual(at) });
      }
  starts.sort((a, b) => a.left - b.left);
  const ends = starts
    .slice(0, 3)
    .map(({ at }) => minimise(residual, at, [side / 8, side / 8, 0.3, 0.3, 0.2, 0.2 / side]));
  const { at, left } = ends.reduce((a, b) => (b.left < a.left ? b : a));
  return {
    r2: total > 0 ? 1 - left / total : Number.NaN,
    ...{ x: at[0], y: at[1], across: Math.exp(at[2]), along: Math.exp(at[3]) },
    orientation: ((((at[4] * 180) / Math.PI) % 180) + 180) % 180,
    frequency: at[5],
  };
}

/** Where the field's energy about its mean is, in pixels from its middle. */
function centreOf(field: Float64Array, side: number, mean: number): { x: number; y: number } {
  let [sum, x, y] = [0, 0, 0];
  for (let i = 0; i < field.length; i++) {
    const energy = (field[i] - mean) ** 2;
    sum += energy;
    x += energy * ((i % side) - (side - 1) / 2);
    y += energy * (Math.floor(i / side) - (side - 1) / 2);
  }
  return sum > 0 ? { x: x / sum, y: y / sum } : { x: 0, y: 0 };
}

/** Sum of squares that the best a and b leave. Infinite beyond half a cycle a pixel, and for envelopes below half a pixel or above twice the field. */
function residualOf(
  field: Float64Array,
  side: number,
  [x0, y0, lnAcross, lnAlong, angle, frequency]: Parameters,
): number {
  const [across, along] = [Math.exp(lnAcross), Math.exp(lnAlong)];
  const widths = Math.min(across, along) >= 0.5 && Math.max(across, along) <= 2 * side;
  if (!(widths && frequency >= 0 && frequency <= 0.5 && Math.max(Math.abs(x0), Math.abs(y0)) <= side))
    return Number.POSITIVE_INFINITY;
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  let [cc, cs, ss, fc, fs, ff] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < field.length; i++) {
    const dx = (i % side) - (side - 1) / 2 - x0;
    const dy = Math.floor(i / side) - (side - 1) / 2 - y0;
    const [u, v] = [dx * sine + dy * cosine, dx * cosine - dy * sine];
    const envelope = Math.exp(-0.5 * ((u / across) ** 2 + (v / along) ** 2));
    const c = envelope * Math.cos(2 * Math.PI * frequency * u);
    const s = envelope * Math.sin(2 * Math.PI * frequency * u);
    cc += c * c;
    cs += c * s;
    ss += s * s;
    fc += field[i] * c;
    fs += field[i] * s;
    ff += field[i] * field[i];
  }
  const determinant = cc * ss - cs * cs;
  // Without a wave there is no sine to speak of.
  if (!(determinant > 1e-9 * cc * cc)) return cc > 0 ? ff - (fc * fc) / cc : Number.POSITIVE_INFINITY;
  return ff - (fc * fc * ss - 2 * fc * fs * cs + fs * fs * cc) / determinant;
}

/** Nelder & Mead 1965, with their coefficients. */
function minimise(
  value: (at: Parameters) => number,
  start: Parameters,
  steps: Parameters,
): { at: Parameters; left: number } {
  const corner = (at: Parameters): { at: Parameters; left: number } => ({ at, left: value(at) });
  const simplex = [corner(start), ...start.map((_, k) => corner(start.map((x, i) => (i === k ? x + steps[k] : x))))];
  for (let turn = 0; turn < 400; turn++) {
    simplex.sort((a, b) => a.left - b.left);
    const [best, worst, second] = [simplex[0], simplex[start.length], simplex[start.length - 1]];
    if (worst.left - best.left <= 1e-9 * Math.abs(best.left)) break;
    const middle = start.map((_, k) => simplex.slice(0, -1).reduce((sum, { at }) => sum + at[k], 0) / start.length);
    const beyond = (factor: number): Parameters => middle.map((m, k) => m + factor * (m - worst.at[k]));
    const reflected = corner(beyond(1));
    let next = reflected;
    if (reflected.left < best.left) {
      const further = corner(beyond(2));
      if (further.left < reflected.left) next = further;
    } else if (reflected.left >= second.left) {
      next = corner(beyond(reflected.left < worst.left ? 0.5 : -0.5));
      if (next.left >= Math.min(worst.left, reflected.left)) {
        for (let i = 1; i < simplex.length; i++) simplex[i] = corner(simplex[i].at.map((x, k) => (x + best.at[k]) / 2));
        continue;
      }
    }
    simplex[start.length] = next;
  }
  return simplex.reduce((a, b) => (b.left < a.left ? b : a));
}
