// Lowering of what losses are made of: distances, gates, errors, softmaxes, and rows made of length 1.

import type { Kind, Negatives } from "../../../program/operations.ts";
import { sizeOf, type Tensor } from "../../../program/tensor.ts";
import { expOf, isNan, logOf, softplus } from "../functions.ts";
import {
  type Dispatch,
  each,
  eachRow,
  float,
  reads,
  rowThreads,
  type Scratch,
  scratch,
  sums,
  writes,
} from "../kernel.ts";
import type { Lowering } from "./simple.ts";

/** The weight of view t as a negative of anchor s as an expression: program/operations.ts has the four kinds. */
function negativeWeight(negatives: Negatives, n: number): string {
  switch (negatives.kind) {
    case "all":
      return "select(1f, 0f, s == t)";
    case "next":
      return `select(0f, 1f, t != s && (t + ${n}u - s) % ${n}u <= ${negatives.count}u)`;
    case "authorsCode":
      return `select(0f, ${float(1 / negatives.count)}, t > s && t - s < ${negatives.count}u)`;
    case "past": {
      const { count, gap, spacing } = negatives;
      const further = `(t - s - ${gap}u)`;
      return `select(0f, 1f, t >= s + ${gap}u && ${further} % ${spacing}u == 0u && ${further} < ${count * spacing}u)`;
    }
    default:
      return negatives satisfies never;
  }
}

/** A loop of a row's threads over its `width` numbers: `k` is a number's place in its row. */
const along = (width: number, statements: string): string =>
  `for (var k = local; k < ${width}u; k += ${rowThreads}u) {\n${statements}\n}`;

/** Adds up what each of `n` rows left in `perRow` [n, targets]. */
const addRows = (label: string, n: number, perRow: Scratch, targets: Parameters<typeof sums>[4]): Dispatch[] =>
  sums(
    label,
    n,
    { perRow: reads(perRow) },
    ({ perRow }) => targets.map((_, s) => `sum${s} += ${perRow(`i * ${targets.length}u + ${s}u`)};`).join("\n"),
    targets,
  );

/** a, b [n, d], gates [n, n] → errors; `anchors` are the rows of a. */
function hingeError(label: string, a: Tensor, b: Tensor, gates: Tensor, error: Tensor, anchors: boolean): Dispatch {
  const [n, d] = a.shape as [number, number];
  return each(
    label,
    n * d,
    { a: reads(a), b: reads(b), gates: reads(gates), error: writes(error) },
    ({ a, b, gates, error }) => `let row = i / ${d}u;
let k = i % ${d}u;
let own = ${anchors ? a("i") : b("i")};
var sum = 0f;
for (var other = 0u; other < ${n}u; other++) {
${
  anchors
    ? `  sum += ${gates(`row * ${n}u + other`)} * sign(own - ${b(`other * ${d}u + k`)});`
    : `  sum -= ${gates(`other * ${n}u + row`)} * sign(${a(`other * ${d}u + k`)} - own);`
}
}
${error("i")} = sum;`,
  );
}

const size = (tensor: Tensor): number => sizeOf(tensor.shape);

export const lowerLosses = {
  l1Distance: ({ inputs: { a, b }, outputs: { distances } }) => {
    const [m, d] = b.shape as [number, number];
    return [
      each(
        "l1Distance",
        size(distances),
        { a: reads(a), b: reads(b), distances: writes(distances) },
        ({ a, b, distances }) => `let s = i / ${m}u;
let t = i % ${m}u;
var sum = 0f;
for (var k = 0u; k < ${d}u; k++) { sum += abs(${a(`s * ${d}u + k`)} - ${b(`t * ${d}u + k`)}); }
${distances("i")} = sum;`,
      ),
    ];
  },
  hingeGates: ({ inputs: { distances }, outputs: { gates, loss, active }, attributes: { m1, m2, negatives } }) => {
    const n = distances.shape[0];
    // A distance that is not a number must reach the loss.
    return sums(
      "hingeGates",
      n * n,
      { distances: reads(distances), gates: writes(gates) },
      ({ distances, gates }) => `let s = i / ${n}u;
let t = i % ${n}u;
let distance = ${distances("i")};
let weight = ${negativeWeight(negatives, n)};
var gate = 0f;
if (s == t && (distance > ${float(m1)} || isNan(distance))) {
  gate = 1f;
  sum0 += distance - ${float(m1)};
  sum1 += 1f;
} else if (weight > 0f && distance < ${float(m2)}) {
  gate = -weight;
  sum0 += weight * (${float(m2)} - distance);
  sum2 += 1f;
}
${gates("i")} = gate;`,
      [
        { to: loss, index: 0 },
        { to: active, index: 0 },
        { to: active, index: 1 },
      ],
      isNan,
    );
  },
  hingeAnchorError: ({ inputs: { a, b, gates }, outputs: { error } }) => [
    hingeError("hingeAnchorError", a, b, gates, error, true),
  ],
  hingeViewError: ({ inputs: { a, b, gates }, outputs: { error } }) => [
    hingeError("hingeViewError", a, b, gates, error, false),
  ],
  softmaxCrossEntropy: ({ inputs: { logits, labels }, outputs: { loss, dlogits, correct } }) => {
    const [n, c] = logits.shape as [number, number];
    const perRow = scratch("softmaxCrossEntropy.rows", 2 * n);
    return [
      eachRow(
        "softmaxCrossEntropy",
        n,
        { logits: reads(logits), labels: reads(labels), dlogits: writes(dlogits), perRow: writes(perRow) },
        ({ logits, labels, dlogits, perRow }) => {
          const at = logits(`row * ${c}u + k`);
          return `let label = u32(${labels("row")});
${rowMost(c, at)}
var part = 0f;
${along(c, `let power = expOf(${at} - most);\n${dlogits(`row * ${c}u + k`)} = power;\npart += power;`)}
let total = sumOf(local, part);
${along(c, `${dlogits(`row * ${c}u + k`)} = (${dlogits(`row * ${c}u + k`)} / total - select(0f, 1f, k == label)) / ${n}f;`)}
let own = ${logits(`row * ${c}u + label`)};
${firstMost(c, at)}
if (local == 0u) {
  ${perRow("2u * row")} = most + logOf(total) - own;
  ${perRow("2u * row + 1u")} = select(0f, 1f, own == most && earlier == 0f);
}`;
        },
        `${expOf}\n${logOf}`,
      ),
      ...addRows("softmaxCrossEntropy.loss", n, perRow, [
        { to: loss, index: 0, finish: (sum) => `${sum} / ${n}f` },
        { to: correct, index: 0 },
      ]),
    ];
  },
  classHinge: ({ inputs: { logits, labels }, outputs: { loss, dlogits, correct }, attributes: { offClass } }) => {
    const [n, c] = logits.shape as [number, number];
    const perRow = scratch("classHinge.rows", 2 * n);
    return [
      eachRow(
        "classHinge",
        n,
        { logits: reads(logits), labels: reads(labels), dlogits: writes(dlogits), perRow: writes(perRow) },
        ({ logits, labels, dlogits, perRow }) => {
          const at = logits(`row * ${c}u + k`);
          return `let label = u32(${labels("row")});
${rowMost(c, at)}
var part = 0f;
${along(
  c,
  `let direction = select(1f, -1f, k == label);
let weight = select(${float(offClass / (c - 1))}, 1f, k == label);
let value = ${at};
let margin = 1f + direction * value;
let open = margin > 0f;
if (open || isNan(value)) { part += weight * margin; }
${dlogits(`row * ${c}u + k`)} = select(0f, direction * weight / ${n}f, open);`,
)}
let all = sumOf(local, part);
let own = ${logits(`row * ${c}u + label`)};
${firstMost(c, at)}
if (local == 0u) {
  ${perRow("2u * row")} = all;
  ${perRow("2u * row + 1u")} = select(0f, 1f, own == most && earlier == 0f);
}`;
        },
        isNan,
      ),
      ...addRows("classHinge.loss", n, perRow, [
        { to: loss, index: 0, finish: (sum) => `${sum} / ${n}f` },
        { to: correct, index: 0 },
      ]),
    ];
  },
  normaliseRows: ({ inputs: { x }, outputs: { y, norms } }) => {
    const [n, d] = x.shape as [number, number];
    return [
      eachRow(
        "normaliseRows",
        n,
        { x: reads(x), y: writes(y), norms: writes(norms) },
        ({ x, y, norms }) => `var part = 0f;
${along(d, `let value = ${x(`row * ${d}u + k`)};\npart += value * value;`)}
let norm = sqrt(sumOf(local, part));
if (local == 0u) { ${norms("row")} = norm; }
${along(d, `${y(`row * ${d}u + k`)} = ${x(`row * ${d}u + k`)} / max(norm, 1e-12f);`)}`,
      ),
    ];
  },
  normaliseRowsGradient: ({ inputs: { dy, y, norms }, outputs: { dx } }) => {
    const [n, d] = y.shape as [number, number];
    return [
      eachRow(
        "normaliseRowsGradient",
        n,
        { dy: reads(dy), y: reads(y), norms: reads(norms), dx: writes(dx) },
        ({ dy, y, norms, dx }) => {
          const at = `row * ${d}u + k`;
          return `var part = 0f;
${along(d, `part += ${y(at)} * ${dy(at)};`)}
let both = sumOf(local, part);
${along(d, `${dx(at)} = (${dy(at)} - ${y(at)} * both) / max(${norms("row")}, 1e-12f);`)}`;
        },
      ),
    ];
  },
  ntXent: ({ inputs: { similarities }, outputs: { loss, dsimilarities }, attributes: { temperature, divisor } }) => {
    const rows = similarities.shape[0];
    const perRow = scratch("ntXent.rows", rows);
    return [
      eachRow(
        "ntXent",
        rows,
        { similarities: reads(similarities), dsimilarities: writes(dsimilarities), perRow: writes(perRow) },
        ({ similarities, dsimilarities, perRow }) => {
          const at = (k: string): string => `${similarities(`row * ${rows}u + ${k}`)} / ${float(temperature)}`;
          const gradient = dsimilarities(`row * ${rows}u + k`);
          return `let partner = (row + ${rows / 2}u) % ${rows}u;
var part = -3.4e38f;
${along(rows, `if (k != row) { part = max(part, ${at("k")}); }`)}
let most = mostOf(local, part);
part = 0f;
${along(rows, `let power = select(expOf(${at("k")} - most), 0f, k == row);\n${gradient} = power;\npart += power;`)}
let total = sumOf(local, part);
${along(rows, `${gradient} = (${gradient} / total - select(0f, 1f, k == partner)) / ${float(temperature * divisor)};`)}
if (local == 0u) { ${perRow("row")} = most + logOf(total) - ${at("partner")}; }`;
        },
        `${expOf}\n${logOf}`,
      ),
      ...addRows("ntXent.loss", rows, perRow, [{ to: loss, index: 0, finish: (sum) => `${sum} / ${float(divisor)}` }]),
    ];
  },
  scoreGates: ({ inputs: { scores }, outputs: { gates, loss, active } }) => {
    const n = scores.shape[0];
    return sums(
      "scoreGates",
      n * n,
      { scores: reads(scores), gates: writes(gates) },
      ({ scores, gates }) => `let own = i / ${n}u == i % ${n}u;
let direction = select(1f, -1f, own);
let margin = 1f + direction * ${scores("i")};
let open = margin > 0f;
${gates("i")} = select(0f, direction, open);
if (open || isNan(margin)) { sum0 += margin; }
if (open && own) { sum1 += 1f; }
if (open && !own) { sum2 += 1f; }`,
      [
        { to: loss, index: 0 },
        { to: active, index: 0 },
        { to: active, index: 1 },
      ],
      isNan,
    );
  },
  pairProducts: ({ inputs: { a, b, pairs }, outputs: { scores } }) => {
    const d = a.shape[1];
    return [
      each(
        "pairProducts",
        size(scores),
        { a: reads(a), b: reads(b), pairs: reads(pairs), scores: writes(scores) },
        ({ a, b, pairs, scores }) => `let first = u32(${pairs("2u * i")}) * ${d}u;
let second = u32(${pairs("2u * i + 1u")}) * ${d}u;
var sum = 0f;
for (var k = 0u; k < ${d}u; k++) { sum += ${a("first + k")} * ${b("second + k")}; }
${scores("i")} = sum;`,
      ),
    ];
  },
  pairGates: ({ inputs: { scores, weights }, outputs: { gates, loss, active } }) =>
    sums(
      "pairGates",
      size(scores),
      { scores: reads(scores), weights: reads(weights), gates: writes(gates) },
      ({ scores, weights, gates }) => `let weight = ${weights("i")};
let margin = 1f - sign(weight) * ${scores("i")};
let open = weight != 0f && (margin > 0f || isNan(margin));
${gates("i")} = select(0f, -weight, open);
if (open) { sum0 += abs(weight) * margin; }
if (open && weight > 0f) { sum1 += 1f; }
if (open && weight < 0f) { sum2 += 1f; }`,
      [
        { to: loss, index: 0 },
        { to: active, index: 0 },
        { to: active, index: 1 },
      ],
      isNan,
    ),
  pairErrors: ({ inputs: { other, gates, pairs }, outputs: { error }, attributes: { side, rows } }) => {
    const [, d] = other.shape as [number, number];
    const p = size(gates);
    // All threads of a row look through the pairs, so many at a time; then each adds up its share of the row's numbers.
    const share = Math.ceil(d / rowThreads);
    return [
      eachRow(
        "pairErrors",
        rows,
        { other: reads(other), gates: reads(gates), pairs: reads(pairs), error: writes(error) },
        ({ other, gates, pairs, error }) => `var sum: array<f32, ${share}>;
for (var first = 0u; first < ${p}u; first += ${rowThreads}u) {
  let pair = first + local;
  weights[local] = 0f;
  if (pair < ${p}u && u32(${pairs(`2u * pair + ${side}u`)}) == row) {
    weights[local] = ${gates("pair")};
    sources[local] = u32(${pairs(`2u * pair + ${1 - side}u`)}) * ${d}u;
  }
  workgroupBarrier();
  for (var one = 0u; one < ${rowThreads}u; one++) {
    if (weights[one] == 0f) { continue; }
    for (var j = 0u; j < ${share}u; j++) {
      let k = j * ${rowThreads}u + local;
      if (k < ${d}u) { sum[j] += weights[one] * ${other("sources[one] + k")}; }
    }
  }
  workgroupBarrier();
}
for (var j = 0u; j < ${share}u; j++) {
  let k = j * ${rowThreads}u + local;
  if (k < ${d}u) { ${error(`row * ${d}u + k`)} = sum[j]; }
}`,
        `var<workgroup> weights: array<f32, ${rowThreads}>;\nvar<workgroup> sources: array<u32, ${rowThreads}>;`,
      ),
    ];
  },
  goodnessGates: ({
    inputs: { x },
    outputs: { gates, loss, goodness, passed },
    attributes: { positive, negative },
  }) => {
    const c = x.shape[3];
    const places = size(gates) / 2;
    return sums(
      "goodnessGates",
      2 * places,
      { x: reads(x), gates: writes(gates) },
      ({ x, gates }) => `let isPositive = i < ${places}u;
let direction = select(1f, -1f, isPositive);
var total = 0f;
for (var k = 0u; k < ${c}u; k++) {
  let value = ${x(`i * ${c}u + k`)};
  let fired = select(max(0f, value), value, isNan(value));
  total += fired * fired;
}
let mean = total / ${c}f;
let excess = direction * (mean - select(${float(negative)}, ${float(positive)}, isPositive));
sum0 += softplus(excess);
${gates("i")} = direction / (1f + expOf(-excess)) / ${places}f;
if (isPositive) { sum1 += mean; } else { sum2 += mean; }
if (isPositive && excess < 0f) { sum3 += 1f; }
if (!isPositive && excess < 0f) { sum4 += 1f; }`,
      [
        { to: loss, index: 0, finish: (sum) => `${sum} / ${places}f` },
        { to: goodness, index: 0 },
        { to: goodness, index: 1 },
        { to: passed, index: 0 },
        { to: passed, index: 1 },
      ],
      `${softplus}\n${isNan}`,
    );
  },
} satisfies { readonly [K in Kind]?: Lowering<K> };

/** `most`, the largest of a row. */
const rowMost = (width: number, at: string): string => `var highest = -3.4e38f;
${along(width, `highest = max(highest, ${at});`)}
let most = mostOf(local, highest);`;

/** `earlier`, how many numbers before the label's are as large as the largest. */
const firstMost = (width: number, at: string): string => `var before = 0f;
${along(width, `if (k < label && ${at} == most) { before += 1f; }`)}
let earlier = sumOf(local, before);`;
