// Lowering of makeViews: a workgroup makes one view. src/backends/reference/views.ts says what a view is.

import type { Kind } from "../../../program/operations.ts";
import { channelEnds, orders, view } from "../../../program/views.ts";
import { eachRow, float, reads, rowThreads, writes } from "../kernel.ts";
import type { Lowering } from "./simple.ts";

const steps = ["brightness", "contrast", "saturation", "hue"] as const;

const colour = `const orders = array<vec4u, ${orders.length}>(${orders
  .map((order) => `vec4u(${order.map((step) => `${steps.indexOf(step)}u`).join(", ")})`)
  .join(", ")});
fn lumaOf(rgb: vec3f) -> f32 { return dot(rgb, vec3f(0.2989f, 0.587f, 0.114f)); }
fn blend(value: vec3f, other: f32, amount: f32) -> vec3f {
  return saturate(amount * value + (1f - amount) * vec3f(other));
}
fn toHsv(rgb: vec3f) -> vec3f {
  let most = max(rgb.x, max(rgb.y, rgb.z));
  let range = most - min(rgb.x, min(rgb.y, rgb.z));
  if (range == 0f) { return vec3f(0f, 0f, most); }
  var sixth = 4f + (rgb.x - rgb.y) / range;
  if (most == rgb.x) { sixth = (rgb.y - rgb.z) / range; } else if (most == rgb.y) { sixth = 2f + (rgb.z - rgb.x) / range; }
  return vec3f(sixth / 6f, range / most, most);
}
fn fromHsv(h: f32, s: f32, v: f32) -> vec3f {
  let turned = vec3f(5f, 3f, 1f) + 6f * h;
  let k = turned - 6f * floor(turned / 6f);
  return saturate(vec3f(v) - v * s * saturate(min(k, 4f - k)));
}
`;

export const lowerViews = {
  makeViews: ({
    inputs: { images, indices, parameters },
    outputs: { x },
    attributes: { height, width, ...values },
  }) => {
    const [, h, w, c] = images.shape as [number, number, number, number];
    const ends = channelEnds(values, c);
    const channels = [..."xyz"].slice(0, c);
    const pixels = height * width;
    const colours = c === 3;
    return [
      eachRow(
        "makeViews",
        indices.shape[0],
        { images: reads(images), indices: reads(indices), parameters: reads(parameters), x: writes(x) },
        (at) => {
          const told = (column: number): string => at.parameters(`row * ${parameters.shape[1]}u + ${column}u`);
          const out = (channel: number): string => at.x(`(row * ${pixels}u + p) * ${c}u + ${channel}u`);
          const eachPixel = (statements: string): string =>
            `for (var p = local; p < ${pixels}u; p += ${rowThreads}u) {\n${statements}\n}`;
          const along = (
            axis: 0 | 1,
            name: string,
          ): string => `var ${name} = clamp(${told(view.affine + 3 * axis)} * f32(p % ${width}u) + ${told(view.affine + 3 * axis + 1)} * f32(p / ${width}u) + ${told(view.affine + 3 * axis + 2)}, -1e6f, 1e6f);
let ${name}Support = max(1f, ${told(view.support + axis)});
var ${name}First = -2000000;
var ${name}Last = 2000000;
if (!outside) {
  ${name} = clamp(${name}, ${told(view.box + axis)}, ${told(view.box + 2 + axis)});
  ${name}First = i32(${told(view.box + axis)});
  ${name}Last = i32(${told(view.box + 2 + axis)});
}
${name}First = max(${name}First, i32(floor(${name} - ${name}Support)) + 1);
${name}Last = min(${name}Last, i32(ceil(${name} + ${name}Support)) - 1);
var ${name}Sum = 0f;
for (var i = ${name}First; i <= ${name}Last; i++) { ${name}Sum += 1f - abs(f32(i) - ${name}) / ${name}Support; }`;
          const jitter = (step: string): string => `switch (${step}) {
  case 0u: { value = saturate(value * ${told(view.brightness)}); }
  case 1u: { value = blend(value, grey, ${told(view.contrast)}); }
  ${colours ? `case 2u: { value = blend(value, lumaOf(value), ${told(view.saturation)}); }` : ""}
  ${colours ? `case 3u: { let hsv = toHsv(value); value = fromHsv(hsv.x + ${told(view.hue)}, hsv.y, hsv.z); }` : ""}
  default: {}
}`;
          const change = colours
            ? `if (kind == 2u) {
  let hsv = toHsv(value);
  value = fromHsv(hsv.x + ${told(view.hue)}, saturate(hsv.y * ${told(view.saturation)}), hsv.z);
}
if (${told(view.grey)} == 1f) { value = saturate(vec3f(lumaOf(value))); }`
            : "";
          return `let image = u32(${at.indices("row")}) * ${h * w * c}u;
let outside = ${told(view.outside)} == 1f;
let kind = u32(${told(view.colour)});
let order = orders[u32(${told(view.order)})];
// Steps before the contrast, for which the whole picture's mean must be known.
var before = 4u;
for (var s = 0u; s < 4u; s++) { if (order[s] == 1u) { before = s; } }
if (kind != 1u) { before = 0u; }
var grey = 0f;
var part = 0f;
${eachPixel(`${along(0, "x")}
${along(1, "y")}
var value = vec3f(0f);
for (var i = yFirst; i <= yLast; i++) {
  if (i < 0 || i >= ${h}) { continue; }
  let rowShare = 1f - abs(f32(i) - y) / ySupport;
  for (var j = xFirst; j <= xLast; j++) {
    if (j < 0 || j >= ${w}) { continue; }
    let share = rowShare * (1f - abs(f32(j) - x) / xSupport);
    let pixel = image + (u32(i) * ${w}u + u32(j)) * ${c}u;
${channels.map((lane, k) => `    value.${lane} += share * f32(${at.images(`pixel + ${k}u`)});`).join("\n")}
  }
}
value /= 255f * xSum * ySum;
for (var s = 0u; s < before; s++) { ${jitter("order[s]")} }
part += ${colours ? "lumaOf(value)" : "value.x"};
${channels.map((lane, k) => `${out(k)} = value.${lane};`).join(" ")}`)}
grey = sumOf(local, part) / ${pixels}f;
${eachPixel(`var value = vec3f(${[0, 1, 2].map((k) => (k < c ? out(k) : "0f")).join(", ")});
if (kind == 1u) { for (var s = before; s < 4u; s++) { ${jitter("order[s]")} } }
${change}
${channels
  .map((lane, k) => `${out(k)} = ${float(ends[k].low)} + ${float(ends[k].high - ends[k].low)} * value.${lane};`)
  .join("\n")}`)}`;
        },
        colour,
      ),
    ];
  },
} satisfies { readonly [K in Kind]?: Lowering<K> };
