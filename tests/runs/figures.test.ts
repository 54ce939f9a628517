// Figures: well-formed SVG with the marks it should have, PNGs with real text, odd input, the same bytes every time.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PNG } from "pngjs";
import { expect, test } from "vitest";
import { type LossPoint, lossCurve } from "../../src/figures/loss-curve.ts";
import { type PictureGrid, pictureGrid } from "../../src/figures/picture-grid.ts";
import { svgToPng } from "../../src/figures/png.ts";
import { readOutBars } from "../../src/figures/read-outs.ts";
import { writeFigure } from "../../src/figures/write-figure.ts";

type Image = ReturnType<typeof PNG.sync.read>;

const noise = (i: number): number => Math.sin(i * 12.9898) * 0.2;

function run(steps: number, loss: (step: number) => number): LossPoint[] {
  return Array.from({ length: steps }, (_, i) => ({ step: i + 1, epoch: (i + 1) / 100, loss: loss(i) }));
}

const falling = run(500, (i) => (900 + 249_100 * Math.exp(-i / 45)) * (1 + noise(i)));
const groups = ["linear probe, 10 labels a class", "linear probe, all labels", "kNN, all labels"].map((label, i) => ({
  label,
  bars: [
    { name: "trained", mean: 0.612 + i / 10, sd: 0.013 },
    { name: "random", mean: 0.388, sd: 0.021 },
    { name: "pixels", mean: 0.341 },
  ],
}));

function pairs(count: number, size: number): PictureGrid["boxes"] {
  const image = (seed: number): Float32Array =>
    Float32Array.from({ length: size }, (_, i) => ((i * 7 + seed) % 11) / 10);
  return Array.from({ length: count }, (_, i) => [image(i), image(i + 3)]);
}

/** The renderer's XML parser is strict: what it draws is well-formed. */
async function draw(svg: string, scale = 1): Promise<Image> {
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  return PNG.sync.read(await svgToPng(svg, scale));
}

const texts = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);
const count = (svg: string, pattern: RegExp): number => svg.match(new RegExp(pattern, "g"))?.length ?? 0;

function colourAt({ data, width }: Image, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 4, (y * width + x) * 4 + 3)];
}

function darkPixels({ data, width }: Image, rows: number): number {
  let dark = 0;
  for (let i = 0; i < rows * width * 4; i += 4) if (data[i] + data[i + 1] + data[i + 2] < 240) dark++;
  return dark;
}

test("a curve of layers that learn one after another shows where each ends", async () => {
  const layers = (layerOf: (i: number) => number) =>
    Array.from({ length: 90 }, (_, i) => ({ step: i + 1, epoch: (i + 1) / 30, loss: 90 - i, layer: layerOf(i) }));
  const marks = (svg: string): number => svg.split("stroke-dasharray").length - 1;
  const greedy = await lossCurve({ title: "GLL", points: layers((i) => 1 + Math.floor(i / 30)) });
  // Two ends, in one group of rules, and the key.
  expect(marks(greedy)).toBe(2);
  expect(greedy).toContain("next layer");
  // The points, and a mean for each layer.
  expect(count(greedy, /aria-label="line"/)).toBe(1 + 3);
  for (const layerOf of [() => 1, (i: number) => 1 + (i % 3)]) {
    const svg = await lossCurve({ title: "RLL", points: layers(layerOf) });
    expect(marks(svg)).toBe(0);
    expect(svg).not.toContain("next layer");
  }
});

test("the mean of an intervention's one side knows nothing of its other", async () => {
  // 100 before the mark, 10 after it, where one point more is at the very mark: the last of its side.
  const points = run(400, (i) => (i < 200 ? 100 : 10));
  const means = async (interventions: readonly number[]): Promise<number[][]> => {
    const svg = await lossCurve({ title: "t", points, interventions, smoothing: 41 });
    const group = svg.match(/<g[^>]*stroke-width="3.5"[^>]*aria-label="line"[^>]*>.*?<\/g>/g) ?? [];
    return group.map((lines) => [...lines.matchAll(/[ML,L](-?[\d.]+),(-?[\d.]+)/g)].map(([, , y]) => Number(y)));
  };
  const levels = (curve: readonly number[]): number => new Set(curve.map((y) => y.toFixed(1))).size;
  const [whole] = await means([]);
  expect(levels(whole)).toBeGreaterThan(20);
  const sides = await means([2]);
  expect(sides.map(levels)).toEqual([1, 1]);
  expect(sides.map(([y]) => y.toFixed(1))).toEqual([whole[0], whole.at(-1)].map((y) => y?.toFixed(1)));
  // A mark twice, or at the very end, breaks nothing more.
  expect(await means([2, 2, 4])).toHaveLength(2);
});

test("accuracies stand in a panel of their own, each beside the random encoder's, on the loss's axis", async () => {
  const points = [1, 2, 3, 4, 5].map((epoch) => ({ epoch, accuracy: 0.2 + epoch / 50 }));
  const accuracies = {
    caption: "accuracy on 200 pictures held out, in %",
    lines: [
      { name: "kNN", points, random: 0.225 },
      { name: "linear, scale-free", points: points.map((one) => ({ ...one, accuracy: 0.5 })), random: 0.661 },
    ],
  };
  const plain = await lossCurve({ title: "r", points: falling, interventions: [2] });
  const svg = await lossCurve({ title: "r", points: falling, interventions: [2], accuracies });
  await draw(svg);
  expect(texts(svg)).toEqual(
    expect.arrayContaining([accuracies.caption, "kNN", "linear, scale-free", "random encoder"]),
  );
  expect(texts(svg).filter((text) => text === "epoch")).toHaveLength(1);
  // The per cents that ticks stand at, from the lowest accuracy or random one to the highest.
  expect(texts(svg)).toEqual(expect.arrayContaining(["20", "80"]));
  expect(count(svg, /aria-label="line"/)).toBe(count(plain, /aria-label="line"/) + 2);
  expect(count(svg, /stroke-dasharray="6,5" [^>]*aria-label="rule"/)).toBe(2);
  // What changed the run is marked in both.
  expect(count(svg, /stroke="#cc79a7"[^>]*aria-label="rule"/)).toBe(
    2 * count(plain, /stroke="#cc79a7"[^>]*aria-label="rule"/),
  );
});

test("a loss curve has both lines, a logarithmic axis for a long fall, and labels with units", async () => {
  const svg = await lossCurve({ title: "a <run> & more", points: falling });
  const png = await draw(svg, 2);
  expect([png.width, png.height]).toEqual([1440, Number(svg.match(/height="(\d+)"/)?.[1]) * 2]);
  const found = ["a &lt;run&gt; &amp; more", "loss, summed over the batch", "epoch", "each point", "mean of 21"];
  expect(texts(svg)).toEqual(expect.arrayContaining([...found, "1,000", "10,000", "100,000"]));
  expect(count(svg, /aria-label="line"/)).toBe(2);
});

test("a loss that stays within one and a half decades gets a linear axis", async () => {
  const svg = await lossCurve({ title: "t", points: run(100, (i) => 6.2 - i / 200) });
  expect(texts(svg)).toEqual(expect.arrayContaining(["5.7", "5.8", "6.0", "6.2"]));
  const crossing = await lossCurve({ title: "t", points: run(100, (i) => 100 - 2 * i) });
  expect(texts(crossing)).toEqual(expect.arrayContaining(["−100", "0", "100"]));
});

test("on a long run the curve keeps its spikes and stays small", async () => {
  const points = run(40_000, (i) => (i === 23_456 ? 9 : 5 + noise(i)));
  const svg = await lossCurve({ title: "t", points });
  expect(svg.length).toBeLessThan(100_000);
  expect(texts(svg)).toEqual(expect.arrayContaining(["9", "mean of 1,601"]));
});

test.each([
  ["no point", [], "no points yet"],
  ["no finite point", run(3, () => Number.NaN), "left out: 3 of 3 points, not finite"],
  ["one point", run(1, () => 251_234.5), "260,000"],
  ["one point at zero", [{ step: 0, epoch: 0, loss: 0 }], "1.0"],
  ["equal points", run(30, () => 3), "3.0"],
  ["values apart by rounding only", run(30, (i) => 1000 + i * 1e-13), "1,000"],
  ["very small values", run(30, (i) => 1e-9 * (i + 1)), "1e−8"],
  ["very many decades", run(30, (i) => 10 ** (i - 15)), "1e13"],
  ["holes", run(50, (i) => [i, Number.NaN, Infinity, -Infinity, i][i % 5]), "left out: 30 of 50 points, not finite"],
])("a loss curve of %s", async (_, points, text) => {
  const svg = await lossCurve({ title: "odd", points });
  await draw(svg);
  expect(texts(svg)).toContain(text);
});

test("smoothing is as asked", async () => {
  expect(texts(await lossCurve({ title: "t", points: falling, smoothing: 50 }))).toContain("mean of 51");
  expect(count(await lossCurve({ title: "t", points: falling, smoothing: 1 }), /aria-label="line"/)).toBe(1);
  await draw(await lossCurve({ title: "t", points: run(1, () => 1), smoothing: 9 }));
  await expect(lossCurve({ title: "t", points: falling, smoothing: 0.5 })).rejects.toThrow(
    "lossCurve: smoothing must be a whole number of points, 1 or more, got 0.5",
  );
});

test("text is drawn with the font that we bring", async () => {
  const [withTitle, without] = await Promise.all([
    draw(await lossCurve({ title: "Contrastive hinge loss", points: [] }), 2),
    draw(await lossCurve({ title: " ", points: [] }), 2),
  ]);
  expect(darkPixels(withTitle, 90)).toBeGreaterThan(1000);
  expect(darkPixels(without, 90)).toBe(0);
});

test("a title too long for one line is broken, and cut after three", async () => {
  const svg = await lossCurve({ title: "difference target propagation ".repeat(12), points: [] });
  const lines = texts(svg).filter((text) => text.startsWith("difference") || text.startsWith("propagation"));
  expect(texts(svg)).toHaveLength(4);
  expect(lines.length).toBeGreaterThan(0);
  expect(texts(svg)[2]).toMatch(/…$/);
  await draw(await lossCurve({ title: "\u0000control\u001b \ud800 and 漢字", points: [] }));
});

test("a title has room for a page's font where Arial is not", async () => {
  const svg = await lossCurve({ title: "on ".repeat(30).trim(), points: [] });
  const lines = texts(svg).filter((text) => text.startsWith("on"));
  expect(lines.length).toBeGreaterThan(1);
  // Widths in DejaVu Sans, which chromium takes on most Linux machines: o 0.612, n 0.634, a space 0.318 of its size.
  for (const line of lines) expect(20 + 26 * (0.522 * line.length)).toBeLessThan(720);
});

test.each([
  [32, 3, 4],
  [28, 1, 4],
  [64, 3, 3],
])("views of %i pixels, %i channels: a pixel becomes %i", async (side, channels, scale) => {
  const list = pairs(5, side * side * channels);
  const { svg, png } = await pictureGrid({
    title: "pairs",
    caption: "each box: anchor | view",
    boxes: list,
    height: side,
    width: side,
    channels,
  });
  const whole = PNG.sync.read(Buffer.from(png));
  expect(texts(svg)).toEqual(["pairs", "each box: anchor | view"]);
  expect(svg).toContain("image-rendering:pixelated");
  expect(svg).toContain(`width="${whole.width}" height="${whole.height}"`);
  expect(darkPixels(whole, 60)).toBeGreaterThan(100);

  const uri = svg.match(/base64,([^"]+)/)?.[1] ?? "";
  const grid = PNG.sync.read(Buffer.from(uri, "base64"));
  const [left, top] = [Number(svg.match(/<image x="(\d+)"/)?.[1]), Number(svg.match(/translate\(0,(\d+)\)/)?.[1])];
  const expected = (image: Float32Array | Float64Array, row: number, column: number): number[] =>
    [0, 1, 2].map((c) => Math.round(image[(row * side + column) * channels + (c % channels)] * 255));
  for (const [row, column] of [
    [0, 0],
    [3, 5],
    [side - 1, side - 1],
  ])
    for (const within of [0, scale - 1]) {
      const [x, y] = [4 + column * scale + within, 4 + row * scale + within];
      const viewX = x + side * scale + 4;
      expect(colourAt(grid, x, y)).toEqual(expected(list[0][0], row, column));
      expect(colourAt(grid, viewX, y)).toEqual(expected(list[0][1], row, column));
      expect(colourAt(whole, left + x, top + y)).toEqual(expected(list[0][0], row, column));
      expect(colourAt(whole, left + viewX, top + y)).toEqual(expected(list[0][1], row, column));
    }
});

test("values outside the range are clamped, NaN is magenta and said", async () => {
  const a = Float64Array.of(-3, -1, 0, 1, 7, Number.NaN);
  const { svg } = await pictureGrid({
    title: "t",
    caption: "",
    boxes: [[a, a]],
    height: 1,
    width: 6,
    channels: 1,
    range: [-1, 1],
  });
  const grid = PNG.sync.read(Buffer.from(svg.match(/base64,([^"]+)/)?.[1] ?? "", "base64"));
  const colours = [0, 1, 2, 3, 4, 5].map((i) => colourAt(grid, 4 + 4 * i, 4));
  const grey = (value: number): number[] => [value, value, value];
  expect(colours).toEqual([grey(0), grey(0), grey(128), grey(255), grey(255), [255, 0, 255]]);
  expect(texts(svg)).toContain("magenta: 2 pixels that are not numbers");
});

test("no pictures, and wrong ones", async () => {
  const shape = { title: "t", caption: "", height: 2, width: 2, channels: 3 };
  expect(texts((await pictureGrid({ ...shape, boxes: [] })).svg)).toContain("no pictures yet");
  await expect(pictureGrid({ ...shape, boxes: pairs(1, 11) })).rejects.toThrow(
    "pictureGrid: boxes[0][0] must be [2, 2, 3] = 12 values, got 11",
  );
  await expect(pictureGrid({ ...shape, boxes: [[new Float32Array(12)], []] })).rejects.toThrow(
    "pictureGrid: boxes[1] must be 1 pictures, as many as the first, got 0",
  );
  await expect(pictureGrid({ ...shape, channels: 2, boxes: [] })).rejects.toThrow("channels must be 1 or 3, got 2");
  await expect(pictureGrid({ ...shape, boxes: [], range: [1, 1] })).rejects.toThrow("low < high, got [1, 1]");
});

test("read-outs: a bar each, whiskers where a deviation is known, percentages, the chance level", async () => {
  const svg = await readOutBars({ title: "worth", groups, chance: 0.1 });
  await draw(svg);
  expect(texts(svg)).toEqual(
    expect.arrayContaining(["accuracy in %, mean ± sd", "chance 10.0 %", "61.2", "± 1.3", "34.1", "100 %"]),
  );
  for (const { label } of groups) expect(texts(svg)).toContain(label);
  expect(count(svg, /<rect (?!width="720")/)).toBe(9);
  expect(texts(svg).filter((text) => text.startsWith("±"))).toHaveLength(6);
  expect(count(svg, /stroke-dasharray/)).toBeGreaterThan(0);
  expect(count(await readOutBars({ title: "worth", groups }), /stroke-dasharray/)).toBe(0);
});

test("read-outs: none, the limits, names too long, wrong numbers", async () => {
  expect(texts(await readOutBars({ title: "t", groups: [] }))).toContain("no scores yet");
  const bars = [
    { name: "a name that goes on and on and on", mean: 1, sd: 0.5 },
    { name: "<&>", mean: 0, sd: Number.NaN },
  ];
  const svg = await readOutBars({ title: "t", groups: [{ label: "long ".repeat(50), bars }] });
  await draw(svg);
  expect(texts(svg)).toEqual(expect.arrayContaining(["&lt;&amp;&gt;", "100.0", "0.0"]));
  expect(texts(svg).filter((text) => text.endsWith("…"))).toHaveLength(2);
  const percent = { title: "t", groups: [{ label: "l", bars: [{ name: "trained", mean: 61.2 }] }] };
  await expect(readOutBars(percent)).rejects.toThrow(
    "readOutBars: mean of trained must be a fraction between 0 and 1, got 61.2; divide percent by 100",
  );
});

test("the same input gives the same bytes, whatever was drawn before", async () => {
  const drawAll = async (): Promise<(string | Uint8Array)[]> => {
    const curve = await lossCurve({ title: "t", points: falling });
    const bars = await readOutBars({ title: "t", groups, chance: 0.1 });
    const grid = await pictureGrid({ title: "t", caption: "", boxes: pairs(3, 48), height: 4, width: 4, channels: 3 });
    return [curve, await svgToPng(curve), bars, await svgToPng(bars), grid.svg, grid.png];
  };
  expect(await drawAll()).toEqual(await drawAll());
});

test("a figure is written whole, beside nothing else", async () => {
  const folder = mkdtempSync(join(tmpdir(), "saccade-figures-"));
  try {
    const svg = await lossCurve({ title: "t", points: [] });
    const png = await svgToPng(svg);
    await writeFigure(join(folder, "new"), "loss", svg, png);
    await writeFigure(join(folder, "new"), "bars", svg);
    expect(readdirSync(join(folder, "new")).sort()).toEqual(["bars.svg", "loss.png", "loss.svg"]);
    expect(readFileSync(join(folder, "new", "loss.svg"), "utf8")).toBe(svg);
    expect(readFileSync(join(folder, "new", "loss.png")).equals(png)).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
