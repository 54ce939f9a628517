// The configuration: what is shipped parses, what is wrong is refused with a whole sentence, overrides set what they say.

import { globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseValue } from "../../src/cli/options.ts";
import { datasetNames } from "../../src/datasets/known-datasets.ts";
import { networkOf } from "../../src/encoders/networks.ts";
import { decodeText } from "../../src/files/files.ts";
import { SaccadeError } from "../../src/program/errors.ts";
import { configText, parseYaml } from "../../src/record/config-text.ts";
import type { Config } from "../../src/training/config.ts";
import { override, parseConfig } from "../../src/training/parse-config.ts";

const shipped = globSync("configs/*.yaml").sort();

const least = (): Record<string, unknown> => ({
  name: "least",
  data: { dataset: "mnist" },
  encoder: "mnist",
  batch: 10,
  epochs: 1,
});

/** The least configuration with some overrides, as the command line makes it. */
function withOverrides(...assignments: string[]): Config {
  const raw = least();
  for (const assignment of assignments) override(raw, assignment, parseValue);
  return parseConfig(raw, "f.yaml");
}

function refusal(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    expect(error).toBeInstanceOf(SaccadeError);
    return (error as Error).message;
  }
  return "not refused";
}

describe("the shipped configurations", () => {
  test("there are some", () => expect(shipped.length).toBeGreaterThanOrEqual(5));

  test.each(shipped)("%s parses, is named after its file and asks for known data", (file) => {
    const config = parseConfig(parse(readFileSync(file, "utf8")), file);
    expect(config.name).toBe(basename(file, ".yaml"));
    for (const { dataset } of [config.data, ...(config.probe ? [config.probe.train, config.probe.test] : [])])
      expect(datasetNames).toContain(dataset);
  });

  test.each(shipped)("%s, resolved, comes back from YAML as it was", (file) => {
    const config = parseConfig(parse(readFileSync(file, "utf8")), file);
    expect(parseConfig(parse(configText(config)), "again")).toEqual(config);
  });

  test("the paper's rows carry the paper's numbers", () => {
    const config = parseConfig(parse(readFileSync("configs/cifar-bp.yaml", "utf8")), "cifar-bp");
    expect(config).toMatchObject({
      encoder: "cifar",
      loss: { m1: 1, m2: 3, negatives: "all", gradientBlock: false },
      optimiser: {
        kind: "adam",
        learningRate: 1e-4,
        schedule: { kind: "constant", warmup: 0 },
        head: 1,
        feedback: 1,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
      },
      batch: 500,
      epochs: 400,
    });
  });
});

describe("antialiasing", () => {
  const augmentation = (raw: object): object => parseConfig({ ...least(), augmentation: raw }, "f.yaml").augmentation;

  test.each(["simclr", "affine"])("of %s is on unless told", (kind) => {
    expect(augmentation({ kind })).toMatchObject({ antialias: true });
    expect(augmentation({ kind, antialias: false })).toMatchObject({ antialias: false });
  });

  test("is on under the authors' preset too", () => {
    const { augmentation: chosen } = parseConfig({ ...least(), preset: "authors-code" }, "f.yaml");
    expect(chosen).toMatchObject({ kind: "affine", antialias: true });
  });

  test("is no key of an augmentation that never shrinks", () => {
    expect(refusal(() => augmentation({ kind: "none", antialias: true }))).toMatch(
      /^f\.yaml: augmentation\.antialias is not a key of augmentation kind none/,
    );
  });
});

describe("the read-out's augmentation", () => {
  const probed = (dataset: string, more: object = {}, preset = "authors-code"): object | undefined =>
    parseConfig(
      { ...least(), preset, probe: { train: { dataset }, test: { dataset, split: "test" }, ...more } },
      "f.yaml",
    ).probe?.augmentation;

  test("is none in the paper's text, and under the authors' preset but for STL-10", () => {
    expect(probed("stl-10", {}, "paper-text")).toEqual({ kind: "none" });
    expect(probed("cifar-10")).toEqual({ kind: "none" });
    expect(probed("stl-10")).toEqual({ kind: "crop", flip: 0.5 });
  });

  test("is what a configuration says, whatever its preset", () => {
    expect(probed("stl-10", { augmentation: { kind: "none" } })).toEqual({ kind: "none" });
    expect(probed("cifar-10", { augmentation: { kind: "crop", flip: 0 } })).toEqual({ kind: "crop", flip: 0 });
  });

  test("is for the paper's read-out alone", () => {
    expect(probed("stl-10", { readOuts: ["kNN"] })).toEqual({ kind: "none" });
    expect(refusal(() => probed("stl-10", { readOuts: ["kNN"], augmentation: { kind: "crop" } }))).toMatch(
      /^f\.yaml: probe\.augmentation is for the read-out paper, got readOuts kNN; add paper, or set probe\.augmentation='\{kind: none\}'$/,
    );
  });
});

describe("what is refused", () => {
  test.each([
    [{ batc: 3 }, /^f\.yaml: unknown key "batc", did you mean "batch"\? \(known: name, preset, seed, .*\)$/],
    [{ adam: { learningrate: 1 } }, /^f\.yaml: unknown key "optimiser\.learningrate", did you mean "learningRate"\?/],
    [{ loss: { kind: "contrastiveHinge", margin: 1 } }, /^f\.yaml: unknown key "loss\.margin" \(known: kind, m1, m2/],
    [{ encoder: "cifr" }, /^f\.yaml: encoder must be one of .*, got "cifr"; did you mean "cifar"\?$/],
    [
      { loss: { kind: "contrastivHinge" } },
      /^f\.yaml: loss\.kind must be one of .*; did you mean "contrastiveHinge"\?$/,
    ],
    [
      { loss: { kind: "contrastiveHinge", negatives: "al" } },
      /^f\.yaml: loss\.negatives must be all or a number, got "al"; did/,
    ],
    [{ loss: { kind: "contrastiveHinge", negatives: -1 } }, /^f\.yaml: loss\.negatives must be at least 0, got -1$/],
    [{ batch: "many" }, /^f\.yaml: batch must be a number, got "many"$/],
    [{ batch: 2.5 }, /^f\.yaml: batch must be a whole number, got 2\.5$/],
    [{ batch: undefined }, /^f\.yaml: batch must be a number, got nothing$/],
    [{ adam: { learningRate: 0 } }, /^f\.yaml: optimiser\.learningRate must be above 0, got 0$/],
    [{ adam: { learningRate: Number.NaN } }, /^f\.yaml: optimiser\.learningRate must be a number, got NaN$/],
    [{ adam: { beta1: 1 } }, /^f\.yaml: optimiser\.beta1 must be below 1, got 1$/],
    [{ adam: 3 }, /^f\.yaml: adam must be a group of keys and values, got 3$/],
    [{ seed: 2 ** 32 }, /^f\.yaml: seed must be at most 4294967295, got 4294967296$/],
    [{ valueRange: [0] }, /^f\.yaml: valueRange must be a list of at least 2, got \[0\]$/],
    [{ name: "a/b" }, /^f\.yaml: name must be of letters, .* alone, got "a\/b"$/],
    [{ encoder: "cifr", batch: 0 }, /encoder must be .*; batch must be at least 1, got 0$/],
  ])("%j", (change, sentence) => {
    expect(refusal(() => parseConfig({ ...least(), ...change }, "f.yaml"))).toMatch(sentence);
  });

  test.each([
    [{ batch: 1 }, /batch must be at least 2/],
    [{ loss: { kind: "contrastiveHinge", m1: 3, m2: 3 } }, /loss\.m2 must be above loss\.m1 = 3, got 3/],
    [
      { loss: { kind: "contrastiveHinge", negatives: 10 } },
      /loss\.negatives must be at most 9 in a batch of 10, got 10/,
    ],
    [{ loss: { kind: "clappPatches" } }, /loss clappPatches needs augmentation\.kind patches, got simclr/],
    [
      { augmentation: { kind: "patches" } },
      /augmentation patches is for loss clappPatches, got contrastiveHinge; take augmentation\.kind simclr or affine/,
    ],
    [
      { augmentation: { kind: "patches", crop: 8 }, loss: { kind: "clappPatches" } },
      /augmentation\.size must be at most augmentation\.crop = 8, got 16/,
    ],
    [
      { augmentation: { kind: "patches" }, loss: { kind: "clappPatches", steps: 6 } },
      /loss\.steps \+ loss\.skip must be below 7, the patches of a column, got 6 \+ 1; shorten them/,
    ],
    [{ valueRange: [1, 1] }, /valueRange must be \[low, high\] with low below high, got \[1, 1\]/],
    [
      { augmentation: { kind: "simclr", scale: [1, 0.5] } },
      /augmentation\.scale must be \[least, most\], got \[1, 0\.5\]/,
    ],
    [
      { loss: { kind: "crossEntropy" }, data: { dataset: "procedural-objects", split: "unlabelled" } },
      /^f\.yaml: loss crossEntropy reads labels, data\.split must be train or test, got unlabelled$/,
    ],
  ])("the combination %j", (change, sentence) => {
    expect(refusal(() => parseConfig({ ...least(), ...change }, "f.yaml"))).toMatch(sentence);
  });

  test.each([null, 3, "text", [], undefined])("%j instead of a configuration", (raw) => {
    expect(refusal(() => parseConfig(raw, "f.yaml"))).toMatch(/^f\.yaml: the file must be a group of keys and values/);
  });
});

describe("a key that may be left out and holds nothing", () => {
  const probe = { train: { dataset: "mnist" }, test: { dataset: "mnist", split: "test" } };

  test.each([
    ["probe=null", { probe }, (config: Config) => config.probe],
    ["data.limit=null", { data: { dataset: "mnist", limit: 5 } }, (config: Config) => config.data.limit],
    ["data.folder=", { data: { dataset: "mnist", folder: "x" } }, (config: Config) => config.data.folder],
    [
      "probe.train.limit=null",
      { probe: { ...probe, train: { dataset: "mnist", limit: 3 } } },
      (config: Config) => config.probe?.train.limit,
    ],
    ["dtp=null", { update: "DTP", dtp: { head: "feedback" } }, (config: Config) => config.dtp],
    ["pairing=null", { pairing: "augmentation" }, (config: Config) => config.pairing],
    [
      "loss.gap=null",
      { loss: { kind: "contrastiveHinge", negativesReading: "past", negatives: 3, gap: 2 } },
      (config: Config) => (config.loss as { gap?: number }).gap,
    ],
  ])("is left out: %s", (assignment, change, read) => {
    const raw = { ...least(), ...change };
    expect(read(parseConfig(structuredClone(raw), "f.yaml"))).toBeDefined();
    override(raw, assignment, parseValue);
    expect(read(parseConfig(raw, "f.yaml"))).toBeUndefined();
  });

  test("in a file as well, where its value is forgotten; what must be there, or has a default, is asked for", () => {
    const text = (more: string): string =>
      `name: a\ndata: { dataset: mnist }\nencoder: mnist\nbatch: 10\nepochs: 1\n${more}`;
    expect(parseConfig(parseYaml("f.yaml", text("probe:\n")), "f.yaml").probe).toBeUndefined();
    for (const [more, sentence] of [
      ["seed:\n", "seed must be a number, got null"],
      ["adam: { beta1: }\n", "optimiser.beta1 must be a number, got null"],
      ["loss: null\n", "loss must be"],
    ])
      expect(refusal(() => parseConfig(parseYaml("f.yaml", text(more)), "f.yaml"))).toContain(`f.yaml: ${sentence}`);
  });
});

describe("a file", () => {
  const base = "encoder: mnist\nbatch: 10\nepochs: 1\n";

  test("may merge keys from elsewhere in it", () => {
    const text = `${base}name: merged
probe:
  train: &labelled { dataset: mnist, limit: 50 }
  test: { <<: *labelled, split: test, limit: 20 }
data:
  <<: *labelled
  folder: elsewhere
`;
    const { data, probe } = parseConfig(parseYaml("f.yaml", text), "f.yaml");
    expect(probe?.test).toEqual({ dataset: "mnist", split: "test", limit: 20, grey: false, seed: 0 });
    expect(data).toEqual({ dataset: "mnist", split: "train", limit: 50, folder: "elsewhere", grey: false, seed: 0 });
  });

  test("may hold keys that are there to be merged alone, and several at once", () => {
    const text = `short: &short { batch: 10, epochs: 1 }
few: &few
  dataset: mnist
  limit: 50
<<: [*short, { name: merged, encoder: mnist, epochs: 7 }]
data: *few
`;
    expect(parseConfig(parseYaml("f.yaml", text), "f.yaml")).toMatchObject({
      name: "merged",
      batch: 10,
      epochs: 1,
      data: { limit: 50 },
    });
    // A key that nothing could be merged from is a mistake as before.
    expect(refusal(() => parseConfig(parseYaml("f.yaml", `batc: 3\n${text}`), "f.yaml"))).toMatch(/unknown key "batc"/);
    expect(refusal(() => parseYaml("f.yaml", `data: { <<: *nowhere }\n`))).toMatch(
      /^f\.yaml: not valid YAML: Merge sources must be maps.*; mend it there$/,
    );
    expect(refusal(() => parseYaml("f.yaml", `a: &a 3\ndata: { <<: *a }\n`))).toMatch(
      /^f\.yaml: not valid YAML: Merge/,
    );
  });

  test.each(["a: &a { b: *a }\n", "a: &a [1, { b: [*a] }]\n", "a: &a\n  <<: *a\n  c: 1\n"])(
    "that holds itself is refused: %j",
    (text) => {
      expect(refusal(() => parseConfig(parseYaml("f.yaml", text), "f.yaml"))).toMatch(
        /^f\.yaml: not valid YAML: .+; mend it there$/,
      );
    },
  );

  test.each(["a: 1\n---\nb: 2\n", "---\na: 1\n---\n---\nb: 2\n"])("of several documents is refused: %j", (text) => {
    expect(refusal(() => parseYaml("f.yaml", text))).toBe(
      "f.yaml: must hold one configuration, got several, with --- between them; put each into a file of its own",
    );
  });

  test("with two merge keys in one group is refused: readers do not agree whose value counts", () => {
    expect(
      refusal(() => parseYaml("f.yaml", "a: &a { limit: 3 }\nb: &b { limit: 5 }\ndata:\n  <<: *a\n  <<: *b\n")),
    ).toBe(
      "f.yaml: not valid YAML: << stands twice in one group, where one list does: <<: [*first, *second]; mend it there",
    );
    expect(parseYaml("f.yaml", "a: &a { limit: 3 }\nb: &b { limit: 5 }\ndata:\n  <<: [*a, *b]\n")).toEqual({
      data: { limit: 3 },
    });
  });

  test("of one document may say so", () => {
    expect(parseYaml("f.yaml", "%YAML 1.2\n---\na: 1\n...\n")).toEqual({ a: 1 });
  });

  test("is text in UTF-8, or in UTF-16 that says so", () => {
    const text = "name: größer\n";
    const little = Buffer.from(`\ufeff${text}`, "utf16le");
    for (const bytes of [Buffer.from(text), Buffer.from(`\ufeff${text}`), little, Buffer.from(little).swap16()])
      expect(decodeText("f.yaml", bytes)).toBe(text);
    for (const [bytes, got] of [
      [Buffer.from(text, "latin1"), "other bytes"],
      [little.subarray(2), "other bytes"],
      [Buffer.from("name: a\n", "utf16le"), "UTF-16 without its mark, or no text"],
      [little.subarray(0, -1), "other bytes"],
      [Buffer.of(0x50, 0x4b, 3, 4, 0, 0), "UTF-16 without its mark, or no text"],
    ] as const)
      expect(refusal(() => decodeText("f.yaml", bytes))).toBe(
        `f.yaml: must be text in UTF-8, got ${got}; save it as UTF-8`,
      );
  });
});

describe("overrides", () => {
  test("set nested keys and read their value as YAML", () => {
    const config = withOverrides(
      "adam.learningRate=1e-3",
      "loss={kind: contrastiveHinge}",
      "loss.negatives=5",
      "loss.gradientBlock=true",
      "valueRange=[-1, 1]",
      "name=a-b.c",
      "probe.train.dataset=mnist",
      "probe.test.dataset=mnist",
      "probe.labelsPerClass=[10, all]",
    );
    expect(config.optimiser.learningRate).toBe(0.001);
    expect(config.loss).toMatchObject({ negatives: 5, gradientBlock: true });
    expect(config.valueRange).toEqual([-1, 1]);
    expect(config.name).toBe("a-b.c");
    expect(config.probe?.labelsPerClass).toEqual([10, "all"]);
  });

  test.each(["2024", "007", "1e5", "0x10", "true", "3.10", "~", "-1", ".5"])("what is text stays text: %s", (text) => {
    expect(withOverrides(`data.folder=${text}`).data.folder).toBe(text);
    expect(withOverrides(`data.folder="${text}"`).data.folder).toBe(text);
    const section: Record<string, unknown> = {};
    override(section, `train.folder=${text}`, parseValue, ["probe"]);
    override(section, `file=${text}`, parseValue, ["data"]);
    override(section, "train.limit=5", parseValue, ["probe"]);
    expect(section).toEqual({ train: { folder: text, limit: 5 }, file: text });
  });

  test("change what they name alone, not what an alias repeats elsewhere", () => {
    const raw = parseYaml(
      "f.yaml",
      `few: &few { dataset: mnist, limit: 50 }
name: n
encoder: mnist
batch: 10
epochs: 1
data: *few
probe: &probe
  train: *few
  test: *few
`,
    );
    override(raw, "data.limit=10", parseValue);
    override(raw, "probe.train.limit=20", parseValue);
    const { data, probe } = parseConfig(raw, "f.yaml");
    expect([data.limit, probe?.train.limit, probe?.test.limit]).toEqual([10, 20, 50]);
  });

  test.each([
    ["optimiser.learningRate", '"1e-3"', "a number"],
    ["batch", '"10"', "a number"],
    ["data.grey", "'true'", "true or false"],
  ])("a number, or true or false, in quotes: %s=%s", (key, text, wanted) => {
    expect(refusal(() => withOverrides(`${key}=${text}`))).toBe(
      `f.yaml: ${key} must be ${wanted}, got "${text.slice(1, -1)}"; leave its quotes out`,
    );
  });

  test("in a file it must be in quotes, which the refusal says", () => {
    expect(refusal(() => parseConfig({ ...least(), data: { dataset: "mnist", folder: 2024 } }, "f.yaml"))).toBe(
      "f.yaml: data.folder must be text, got 2024; put it in quotes",
    );
    expect(refusal(() => withOverrides("data.classes=[1, two]"))).toBe(
      "f.yaml: data.classes.0 must be text, got 1; put it in quotes",
    );
  });

  test("the value may hold an equals sign", () => {
    expect(withOverrides("data.folder=/a=b").data.folder).toBe("/a=b");
  });

  test.each(["batch", "=3", "batch:3", ".batch=3", "batch.=3", "loss..m1=3", "a b=3", ""])(
    "%j is no override",
    (text) => {
      expect(refusal(() => withOverrides(text))).toBe(
        `override: must look like key=value, got "${text}"; for example seed=1`,
      );
    },
  );

  test("reach into lists by place, and leave what an alias repeats as it was", () => {
    const block = { outputs: 8, kernel: 3, after: ["relu"] };
    const encoder = {
      name: "mine",
      input: { height: 16, width: 16, channels: 1 },
      blocks: [block, block],
      head: { outputs: 4 },
    };
    const given = (...texts: string[]) =>
      withOverrides(`encoder=${JSON.stringify(encoder)}`, ...texts).encoder as Exclude<Config["encoder"], string>;
    expect(given("encoder.blocks.1.outputs=16").blocks.map(({ outputs }) => outputs)).toEqual([8, 16]);
    expect(given("encoder.blocks.0.after.0=tanh").blocks.map(({ after }) => after)).toEqual([["tanh"], ["relu"]]);
    expect(refusal(() => given("encoder.blocks.2.outputs=16"))).toBe(
      "override: encoder.blocks has 2 entries, counted from 0, got encoder.blocks.2.outputs=16; set it as a whole: encoder.blocks=[…]",
    );
    expect(withOverrides("valueRange=[0, 1]", "valueRange.0=-1").valueRange).toEqual([-1, 1]);
  });

  test("do not go through a value that has no keys", () => {
    expect(refusal(() => withOverrides("batch.size=3"))).toBe(
      "override: batch must be a group of keys for batch.size, got 10; set it as a whole: batch=…",
    );
    expect(refusal(() => withOverrides("valueRange=[0, 1]", "valueRange.low=3"))).toMatch(
      /^override: valueRange must be a group of keys for valueRange\.low, got \[0,1\]/,
    );
  });

  test.each([
    [
      ["loss={kind: contrastiveHinge, m1: 1, m2: 3}", "loss.kind=simclr"],
      "loss.m1 and loss.m2 are not keys of loss kind simclr (known: kind, temperature, reduction); leave them out, or set it whole: loss='{kind: simclr}'",
    ],
    [
      ["augmentation={kind: affine, perturb: 0.6}", "augmentation.kind=none"],
      "augmentation.perturb is not a key of augmentation kind none (known: kind); leave it out, or set it whole: augmentation='{kind: none}'",
    ],
    [
      ["loss={kind: simclr, temprature: 1}"],
      'unknown key "loss.temprature", did you mean "temperature"? (known: kind, temperature, reduction)',
    ],
    [
      ["preset=authors-code", "loss={temperature: 1}"],
      "loss.temperature is not a key of loss kind contrastiveHinge (known: kind, m1, m2, negatives, negativesReading, gap, spacing, gradientBlock); leave it out, or set it whole: loss='{kind: contrastiveHinge}'",
    ],
    [
      ["dtp.noise={kind: relative, size: 1, sise: 1}"],
      'unknown key "dtp.noise.sise", did you mean "size"? (known: kind, size)',
    ],
  ])("%j: only the keys of the kind that is given are known", (assignments, sentence) => {
    expect(refusal(() => withOverrides(...assignments))).toBe(`f.yaml: ${sentence}`);
  });

  test("a loss is set whole", () => {
    expect(withOverrides("loss={kind: contrastiveHinge, m1: 1}", "loss={kind: simclr}").loss.kind).toBe("simclr");
  });

  test("an unknown key is refused like one in the file", () => {
    expect(refusal(() => withOverrides("adam.lerningRate=1"))).toMatch(
      /unknown key "optimiser\.lerningRate", did you mean/,
    );
  });

  test.each([
    "__proto__.polluted=1",
    "data.__proto__.polluted=1",
    "constructor.prototype.polluted=1",
    "data.constructor.prototype.polluted=1",
    "toString.polluted=1",
    "data.toString.call.polluted=1",
  ])("%s does no harm", (assignment) => {
    expect(refusal(() => withOverrides(assignment))).toMatch(/unknown key|must look like key=value/);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
    expect("polluted" in Object).toBe(false);
    expect("polluted" in Object.prototype.toString).toBe(false);
  });

  test("a __proto__ in a file is an unknown key", () => {
    expect(refusal(() => parseConfig(parse("__proto__: {batch: 7}"), "f.yaml"))).toMatch(/unknown key "__proto__"/);
  });
});

describe("a network that is spelt out", () => {
  const block = { outputs: 8, kernel: 3, after: ["relu", "maxPool"] };
  const withEncoder = (encoder: object): Config =>
    parseConfig(
      {
        ...least(),
        encoder: {
          input: { height: 12, width: 12, channels: 1 },
          blocks: [block, { ...block, outputs: 16 }],
          ...encoder,
        },
      },
      "f.yaml",
    );

  test("has defaults for all but its pictures and its blocks' widths and kernels", () => {
    expect(withEncoder({ blocks: [{ outputs: 8, kernel: 5, after: [{ pool: "average" }] }] }).encoder).toEqual({
      name: "own",
      input: { height: 12, width: 12, channels: 1 },
      blocks: [{ outputs: 8, kernel: 5, stride: 1, bias: false, after: [{ pool: "average", size: 2 }] }],
      head: { averagePool: 1, outputs: 64, bias: false, hidden: [] },
    });
    expect(networkOf(withEncoder({}).encoder).blocks.map(({ name, padding }) => [name, padding])).toEqual([
      ["conv1", 1],
      ["conv2", 1],
    ]);
    const even = networkOf(withEncoder({ blocks: [{ ...block, kernel: 4 }] }).encoder);
    expect(even.blocks[0].padding).toBe(1);
  });

  test("can be changed on the command line, where its keys are words of their own", () => {
    const raw = { ...least(), encoder: structuredClone(withEncoder({}).encoder) };
    override(raw, "encoder.name=2024", parseValue);
    override(raw, "encoder.head.hidden=[32]", parseValue);
    expect(parseConfig(raw, "f.yaml").encoder).toMatchObject({ name: "2024", head: { hidden: [32] } });
    override(raw, "encoder=mnist", parseValue);
    expect(parseConfig(raw, "f.yaml").encoder).toBe("mnist");
  });

  test.each([
    [
      { blocks: [block, { ...block, kernel: 7, padding: 0 }] },
      "f.yaml: encoder: conv2's kernel must be at most 6, the side of its picture [6, 6, 8] with padding 0, got 7; pool or stride less below it, or pad more",
    ],
    [
      { blocks: [block, { ...block, padding: 3 }] },
      "f.yaml: encoder: conv2's padding must be below its kernel of 3, or a window would see zeros alone, got 3",
    ],
    [
      { blocks: [block, block, block, block] },
      "f.yaml: encoder: conv4's maxPool of size 2 must be left with at least one pixel, got a picture of [1, 1, 8]; leave it out, or pool or stride less below it",
    ],
    [
      { blocks: [{ ...block, after: [{ pool: "average", size: 13 }] }] },
      "f.yaml: encoder: conv1's averagePool of size 13 must be left with at least one pixel, got a picture of [12, 12, 8]; leave it out, or pool or stride less below it",
    ],
    [
      { head: { averagePool: 4 } },
      "f.yaml: encoder: head.averagePool must be at most 3, the side of the last block's picture, got 4",
    ],
    [
      { name: "mnist" },
      "f.yaml: encoder.name must be a name of its own, got mnist, which is one of the library's; rename it",
    ],
    [
      { blocks: [block, { ...block, after: ["rleu"] }] },
      'f.yaml: encoder.blocks.1.after.0 (block conv2) must be one of hardtanh, tanh, relu, triangle, maxPool or a group of keys and values, got "rleu"; did you mean "relu"?',
    ],
    [
      { blocks: [{ ...block, after: [{ pool: "avarage" }] }] },
      'f.yaml: encoder.blocks.0.after.0.pool (block conv1) must be one of max, average, got "avarage"; did you mean "average"?',
    ],
    [{ blocks: [{ ...block, kernel: 9 }] }, "f.yaml: encoder.blocks.0.kernel (block conv1) must be at most 7, got 9"],
    [
      { blocks: [{ ...block, kernal: 9 }] },
      'f.yaml: unknown key "encoder.blocks.0.kernal", did you mean "kernel"? (known: outputs, kernel, stride, padding, bias, after)',
    ],
    [{ blocks: [] }, "f.yaml: encoder.blocks must be a list of at least 1, got []"],
    [{ blocks: [{ kernel: 3 }] }, "f.yaml: encoder.blocks.0.outputs (block conv1) must be a number, got nothing"],
    [
      { input: { height: 97, width: 12, channels: 2 } },
      "f.yaml: encoder.input.height must be at most 96, got 97; encoder.input.channels must be 1 or 3, got 2",
    ],
    [
      { head: { hiden: [3] } },
      'f.yaml: unknown key "encoder.head.hiden", did you mean "hidden"? (known: averagePool, outputs, bias, hidden)',
    ],
  ])("is refused by its block, with what it may be: %j", (encoder, sentence) => {
    expect(refusal(() => withEncoder(encoder))).toBe(sentence);
  });

  test("of no kind at all is refused with the names and the kind", () => {
    const [mistyped, list] = ["mnits", ["mnist"]].map((encoder) =>
      refusal(() => parseConfig({ ...least(), encoder }, "f.yaml")),
    );
    expect(mistyped).toMatch(
      /^f\.yaml: encoder must be one of cifar, .* or a group of keys and values, got "mnits"; did you mean "mnist"\?$/,
    );
    expect(list).toMatch(/^f\.yaml: encoder must be one of cifar, .* or a group of keys and values, got \["mnist"\]$/);
  });

  test("under patches has the patches' size", () => {
    const patches = {
      augmentation: { kind: "patches", crop: 12, size: 6, stride: 3 },
      loss: { kind: "clappPatches", steps: 1, skip: 0 },
    };
    const deep = { input: { height: 12, width: 12, channels: 1 }, blocks: [block, block, block] };
    expect(refusal(() => parseConfig({ ...least(), ...patches, encoder: deep }, "f.yaml"))).toBe(
      "f.yaml: encoder: conv3's maxPool of size 2 must be left with at least one pixel, got a picture of [1, 1, 8]; leave it out, or pool or stride less below it",
    );
  });
});
