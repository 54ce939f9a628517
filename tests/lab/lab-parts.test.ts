// The lab's parts that need no browser: addresses, YAML, what the page refuses, accuracy by class, the map.

import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { type Features, pixelFeatures } from "../../src/evaluation/features.ts";
import { kNearest } from "../../src/evaluation/knn.ts";
import { randomStream } from "../../src/program/random.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { lossNames } from "../../src/training/registry.ts";
import { base, type Raw, withLoss, withNetwork, withPart } from "../../web/configuration.ts";
import { niceScale } from "../../web/parts/chart.tsx";
import { smoothed } from "../../web/parts/curves.tsx";
import { fromHash, toHash } from "../../web/share.ts";
import { accuracyOf } from "../../web/work/accuracy.ts";
import { firstError } from "../../web/work/apart.ts";
import { parseForPage } from "../../web/work/limits.ts";
import { fitted, overPlaces, planeOf } from "../../web/work/map.ts";
import { toYaml } from "../../web/yaml.ts";

const raws: readonly (readonly [string, Raw])[] = [
  ["the page's own", base],
  ["another rule", { ...base, learning: "GLL", update: "URF", seed: 7 }],
  ["another network", withNetwork(base, "cifar")],
  [
    "other numbers",
    withPart(withPart(base, "loss", { negatives: "all", m1: 0.5 }), "optimiser", { learningRate: 3e-4 }),
  ],
  ...lossNames
    .filter((loss) => loss !== "clappPatches")
    .map((loss) => [loss, withLoss(loss === "scff" ? { ...base, learning: "RLL" } : base, loss)] as const),
];

describe.each(raws)("%s", (_, raw) => {
  test("comes out of its address as it went in", () => {
    expect(fromHash(toHash(raw))).toEqual({ raw });
    expect(toHash(raw).length).toBeLessThan(1000);
  });

  test("is the same configuration as YAML", () => {
    expect(parseConfig(parse(toYaml(raw)), "lab.yaml")).toEqual(parseForPage(raw));
  });
});

test("YAML keeps words that it would read as something else", () => {
  const odd = { name: "no", text: "1e3", list: ["a: b", "# c", "on"], nested: { "b c": [1, null, true] } };
  expect(parse(toYaml(odd))).toEqual(odd);
});

test("the page's own configuration has the empty address", () => expect(toHash(base)).toBe(""));

const hash = (value: unknown): string => `#v=1&c=${encodeURIComponent(JSON.stringify(value))}`;

test.each([
  ["of another version", "#v=2&c={}", /does not begin with #v=1/],
  ["cut off", hash({ update: "RF" }).slice(0, -6), /damaged, or cut off/],
  ["a list", hash([1, 2]), /is no configuration/],
  ["a number", "#v=1&c=5", /is no configuration/],
  ["too long", `#v=1&c=${"a".repeat(5000)}`, /5007 characters long, .* at most 4000\.$/],
])("an address that is %s is refused in a sentence", (_, address, sentence) => {
  expect(fromHash(address)).toEqual({ refused: expect.stringMatching(sentence) });
});

test.each([
  ["an unknown key", { bacth: 5 }, /unknown key "bacth", did you mean "batch"\?/],
  ["a key of JavaScript's own", JSON.parse('{"__proto__": {"batch": 1}}'), /unknown key "__proto__"/],
  ["a nonsensical rule", { learning: "GLL", update: "DTP" }, /targets travel between layers/],
  [
    "files of this machine",
    { data: { dataset: "image-folder", folder: "/etc" } },
    /no dataset image-folder; saccade train can\.$/,
  ],
  [
    "more pictures than a tab holds",
    { data: { dataset: "procedural-objects", limit: 1e6 } },
    /data\.limit is at most 5000 here/,
  ],
  ["no end of pictures", { data: { dataset: "procedural-objects" } }, /data\.limit is at most 5000 here, not left out/],
  [
    "large pictures",
    { data: { dataset: "procedural-objects", limit: 10, size: 256 } },
    /data\.size is at most 64 here/,
  ],
  ["a large network", { encoder: "vgg6" }, /its networks are tiny and cifar, not vgg6/],
  ["a large batch", { batch: 1000, data: { ...(base.data as Raw), limit: 2000 } }, /batch is at most 256 here/],
  ["years", { epochs: 1e9 }, /1000000000 epochs are too many/],
  ["text for a number", { seed: "<img src=x onerror=alert(1)>" }, /seed must be a number, got "<img/],
])("%s in an address is refused before anything runs", (_, changed, sentence) => {
  const opened = fromHash(hash(changed));
  expect(() => parseForPage("raw" in opened ? opened.raw : {})).toThrow(sentence);
});

test("accuracy by class adds up to what kNearest says", async () => {
  const some = (split: "train" | "test"): Features =>
    pixelFeatures(proceduralObjects({ split, count: 60, seed: 0, size: 8 }));
  const [train, test] = [some("train"), some("test")];
  const { all, classes } = await accuracyOf(train, test, 3, referenceBackend);
  expect(all).toBe((await kNearest(train, test, 3, referenceBackend)).accuracy);
  expect(classes).toHaveLength(10);
  const right = classes.reduce(
    (sum, share, label) => sum + share * test.labels.filter((one) => one === label).length,
    0,
  );
  expect(right).toBeCloseTo(60 * all, 9);
});

test("the curve of the loss begins anew where the run was changed, and is an average elsewhere", () => {
  const points = [4, 4, 4, 1, 1].map((loss, i) => [i + 1, loss] as const);
  const told = (marks: { step: number; text: string }[]) => smoothed(points, marks).map(([, value]) => value);
  expect(told([{ step: 3, text: "loss negatives 0" }])).toEqual([4, 4, 4, 1, 1]);
  expect(told([])[3]).toBeCloseTo(3.7, 9);
});

describe("the map", () => {
  const random = randomStream(5, 1);
  const rows = Float32Array.from({ length: 40 * 6 }, (_, i) => random.normal() * (1 + (i % 6)));
  const plane = planeOf(rows, 40, 6, undefined);

  test.each([0.4, 2, -1.1])("is turned back by %s, and mirrored back", (angle) => {
    for (const mirror of [1, -1]) {
      const moved = plane.map((_, at) => {
        const [x, y] = [plane[at - (at % 2)], mirror * plane[at - (at % 2) + 1]];
        return at % 2 === 0 ? Math.cos(angle) * x - Math.sin(angle) * y : Math.sin(angle) * x + Math.cos(angle) * y;
      });
      const back = planeOf(rows, 40, 6, moved);
      expect(Math.max(...back.map((value, at) => Math.abs(value - moved[at])))).toBeLessThan(1e-9);
    }
  });

  test("fits between −1 and 1 but for the outermost", () => {
    const inside = [...fitted(plane)].filter((value) => Math.abs(value) <= 1 + 1e-12);
    expect(inside.length).toBeGreaterThanOrEqual(0.97 * plane.length);
    expect(Math.max(...inside.map(Math.abs))).toBeCloseTo(1, 9);
  });

  test("means over places are of one channel each", () => {
    const features = {
      rows: Float32Array.of(1, 10, 3, 30, 5, 50),
      count: 1,
      width: 6,
      labels: Int32Array.of(0),
      classes: 1,
    };
    expect([...overPlaces(features, 2)]).toEqual([3, 30]);
  });
});

test.each([
  [0, 1, [0, 0.25, 0.5, 0.75, 1]],
  [0, 100, [0, 25, 50, 75, 100]],
  [0, 947, [0, 250, 500, 750, 1000]],
  [-3, 12, [-5, 0, 5, 10, 15]],
])("ticks from %s to %s", (low, high, ticks) => expect(niceScale(low, high, 4).ticks).toEqual(ticks));

describe("one step, taken apart", () => {
  const [n, width] = [6, 8];
  const random = randomStream(9, 2);
  const numbers = Float32Array.from({ length: 2 * n * width }, () => random.normal());

  /** The paper's equation 2, transcribed, with an anchor's negatives the next `reach` views. */
  function loss(of: Float64Array, m1: number, m2: number, reach: number): number {
    const row = (i: number): Float64Array => of.subarray(i * width, (i + 1) * width);
    const apart = (s: number, t: number): number =>
      row(s).reduce((sum, value, k) => sum + Math.abs(value - row(n + t)[k]), 0);
    let sum = 0;
    for (let s = 0; s < n; s++) {
      sum += Math.max(0, apart(s, s) - m1);
      for (let i = 1; i <= reach; i++) sum += Math.max(0, m2 - apart(s, (s + i) % n));
    }
    return sum;
  }

  test.each([
    [2, false],
    [2, true],
    [5, false],
    [5, true],
    [0, false],
  ])(
    "the error of the first picture against %s strangers is the loss’s slope; gradient block %s",
    (reach, gradientBlock) => {
      const [m1, m2] = [2, 9.5];
      const error = firstError({ numbers, width }, { m1, m2, gradientBlock, reach });
      const row = gradientBlock ? n : 0;
      for (let k = 0; k < width; k++) {
        const at = (by: number): number => {
          const moved = Float64Array.from(numbers);
          moved[row * width + k] += by;
          return loss(moved, m1, m2, reach);
        };
        expect((at(1e-6) - at(-1e-6)) / 2e-6).toBeCloseTo(error[k], 5);
      }
      expect(error.some((value) => value !== 0)).toBe(true);
    },
  );
});
