// The wide network of docs/own-network.md, from the page itself: explained, trained, kept and resumed, exported, imported, read out.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-web";
import { afterAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { blockCosts, headCosts, pictures } from "../../src/encoders/encoder.ts";
import { initialise } from "../../src/encoders/model.ts";
import { networkOf } from "../../src/encoders/networks.ts";
import { encoderFeatures } from "../../src/evaluation/features.ts";
import { layerEmbeddings } from "../../src/evaluation/layer-embeddings.ts";
import { middleUnit } from "../../src/evaluation/neuro/receptive-fields.ts";
import { channelsFirst } from "../../src/exchange/embeddings.ts";
import { readStateDict } from "../../src/exchange/imported-weights.ts";
import { encodeOnnx } from "../../src/exchange/onnx.ts";
import { encodeStateDict } from "../../src/exchange/state-dict.ts";
import { SaccadeError } from "../../src/program/errors.ts";
import { configText } from "../../src/record/config-text.ts";
import { latestCheckpoint, saveCheckpoint } from "../../src/runs/checkpoints.ts";
import { ownClassifier } from "../../src/runs/own-classifier.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { decodeSafetensors } from "../../src/training/safetensors.ts";
import { createTrainer } from "../../src/training/trainer.ts";
import { compare } from "../support/tolerances.ts";

const folder = mkdtempSync(join(tmpdir(), "saccade-own-network-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [, yaml] = /```yaml\n([\s\S]+?)```/.exec(readFileSync("docs/own-network.md", "utf8")) ?? [];
const { encoder } = parse(yaml);
/** The page's network on small pictures, with a hidden layer. */
const raw = {
  name: "wide",
  data: { dataset: "procedural-objects", limit: 40, size: 8 },
  augmentation: { kind: "simclr", antialias: false },
  encoder: { ...encoder, input: { height: 8, width: 8, channels: 3 }, head: { outputs: 16, hidden: [24] } },
  loss: { kind: "contrastiveHinge", negatives: 2 },
  update: "RF",
  batch: 4,
  epochs: 1,
  xrayEvery: 0,
};
const config = parseConfig(raw, "wide");
const network = networkOf(config.encoder);
const backend = wasmBackend({ threads: 1 });

test("the page's network is the wide Hebbian one, 96 – 384 – 1536, on pictures of 32 × 32", () => {
  const wide = networkOf(parseConfig({ ...raw, encoder }, "page").encoder);
  expect(pictures(wide)).toEqual([
    [32, 32, 3],
    [16, 16, 96],
    [8, 8, 384],
    [4, 4, 1536],
  ]);
  expect(blockCosts(wide).map(({ parameters, macs }) => [parameters, macs])).toEqual([
    [25 * 3 * 96, 25 * 3 * 96 * 1024],
    [9 * 96 * 384, 9 * 96 * 384 * 256],
    [9 * 384 * 1536, 9 * 384 * 1536 * 64],
  ]);
});

test("its head costs what its layers cost", () => {
  expect(headCosts(network.head, [1, 1, 1536]).map(({ name, parameters }) => [name, parameters])).toEqual([
    ["head.hidden1", 1536 * 24],
    ["head", 24 * 16],
  ]);
});

test("a resolved configuration comes back from its file as it was", () => {
  expect(parseConfig(parse(configText(config)), "again")).toEqual(config);
});

describe("the wide network, trained for ten steps", async () => {
  const set = proceduralObjects({ split: "train", count: 40, size: 8, seed: 1 });
  const trainer = await createTrainer({ config, dataset: set, backend });
  const losses: number[] = [];
  for (let step = 0; step < 10; step++) losses.push((await trainer.step()).loss);
  const state = await trainer.state();
  const { recorded } = trainer;
  await trainer.dispose();
  const checkpoints = join(folder, "checkpoints");
  const position = { step: 10, epoch: 1, batch: 0 };
  await saveCheckpoint(
    checkpoints,
    recorded,
    { position, state, losses: { sum: 0, steps: 0 }, config: "test" },
    { newest: 1, every: 1 },
  );
  const checkpoint = latestCheckpoint(checkpoints);
  if (checkpoint === undefined) throw new Error("no checkpoint");
  const frozen = { network, weights: state, valueRange: [-1, 1] as const };

  test("has learnt, in every layer", () => {
    expect(losses).toHaveLength(10);
    for (const loss of losses) expect(loss).toBeGreaterThan(0);
    for (const [{ name, role }, start] of initialise(recorded, config.seed))
      if (role === "weight") expect(state.get(name), name).not.toEqual(start);
  });

  test("comes back from its checkpoint to the bit, hidden layer and feedback too", () => {
    expect([...checkpoint.state.keys()]).toEqual(
      expect.arrayContaining(["head.hidden1.weight", "head.hidden1.feedback.weight", "head.weight.m"]),
    );
    for (const [name, values] of state) expect(checkpoint.state.get(name), name).toEqual(values);
  });

  test("gives the same features as an ONNX model in ONNX Runtime, block by block", async () => {
    const session = await InferenceSession.create(encodeOnnx({ ...frozen, about: "a test" }));
    const count = 3;
    const pixels = set.pixels.subarray(0, count * 8 * 8 * 3);
    const x = channelsFirst(
      Float32Array.from(pixels, (value) => value / 127.5 - 1),
      8 * 8 * 3,
      3,
    );
    const said = await session.run({ pictures: new OnnxTensor("float32", x, [count, 3, 8, 8]) });
    for (const [i, { name: layer, outputs }] of network.blocks.entries()) {
      const { features } = await encoderFeatures({ ...frozen, layer }, [{ ...set, count, pixels }], backend);
      const [{ rows, width }] = features;
      const wanted = channelsFirst(rows, width, outputs);
      const terms = 9 * 384 * 36;
      expect(compare(said[layer].data as Float32Array, wanted, { kind: "conv2d", terms, what: layer })).toBe("equal");
      expect(said[layer].dims).toEqual([count, ...[2, 0, 1].map((axis) => pictures(network)[i + 1][axis])]);
    }
    expect(said.features.data).toEqual(said.conv3.data);
    await session.release();
  });

  test("leaves as a state_dict that says which network it is, and comes back from it", () => {
    const path = join(folder, "wide.safetensors");
    writeFileSync(path, encodeStateDict(network, checkpoint, {}));
    const { tensors, metadata } = decodeSafetensors(readFileSync(path), path);
    expect(JSON.parse(metadata.encoder)).toEqual(
      parse(configText(parseConfig({ ...raw, encoder: JSON.parse(metadata.encoder) }, "from the file"))).encoder,
    );
    expect(networkOf(JSON.parse(metadata.encoder))).toEqual(network);
    expect(tensors.get("conv1.weight")?.shape).toEqual([96, 3, 5, 5]);
    // The hidden layer reads the last block with channels first, the layer above it reads units as they stand.
    const [there, here] = [tensors.get("head.hidden1.weight"), state.get("head.hidden1.weight") ?? new Float32Array()];
    expect(there?.shape).toEqual([24, 1536]);
    expect(there?.data[5 * 1536 + 7]).toBe(here[7 * 24 + 5]);
    expect(tensors.get("head.weight")?.data[3 * 24 + 2]).toBe((state.get("head.weight") ?? [])[2 * 16 + 3]);
    const { weights, leftOut, network: found } = readStateDict(path, network);
    expect(found).toBe(network);
    expect(leftOut.toSorted()).toEqual(["head.hidden1.weight", "head.weight"]);
    for (const [name, values] of weights) expect(values, name).toEqual(state.get(name));
  });

  test("has units that see as far as its kernels and poolings reach", () => {
    // 5 × 5, pooled by 2, 3 × 3, pooled by 2, 3 × 3, pooled by 2.
    expect(network.blocks.map(({ name }) => middleUnit(network, name).window.side)).toEqual([6, 12, 24]);
  });
});

test("a supervised head with hidden layers is refused as a linear classifier of features", () => {
  const supervised = parseConfig({ ...raw, loss: { kind: "crossEntropy" }, update: "BP" }, "supervised");
  expect(() => ownClassifier(supervised, { path: "", state: new Map(), shapes: new Map() }, 10)).toThrow(
    new SaccadeError(
      "robustness: wide's encoder.head.hidden must be none, for a classifier that is linear in the encoder's features, got [24]; its features can be probed",
    ),
  );
});

test("embeddings of pictures that are no squares are means over all places", async () => {
  const oblong = networkOf({
    name: "oblong",
    input: { height: 8, width: 12, channels: 3 },
    blocks: [{ outputs: 4, kernel: 3, stride: 1, bias: false, after: ["relu"] }],
    head: { averagePool: 1, outputs: 4, bias: false },
  });
  const weights = new Map([["conv1.weight", Float32Array.from({ length: 108 }, (_, i) => Math.sin(i))]]);
  const square = proceduralObjects({ split: "train", count: 3, size: 12, seed: 2 });
  const rows = Uint8Array.from({ length: 3 * 8 * 12 * 3 }, (_, i) => square.pixels[i]);
  const set = { ...square, height: 8, pixels: rows };
  const frozen = { network: oblong, weights, valueRange: [0, 1] as const };
  const [layer] = await layerEmbeddings(frozen, set, backend);
  const { features } = await encoderFeatures(frozen, [set], backend);
  for (let picture = 0; picture < 3; picture++)
    for (let unit = 0; unit < 4; unit++) {
      let sum = 0;
      for (let place = 0; place < 96; place++) sum += features[0].rows[picture * 384 + place * 4 + unit];
      expect(layer.rows[picture * 4 + unit]).toBeCloseTo(sum / 96, 5);
    }
});

describe("on the command line", () => {
  const saccade = (...words: string[]): string =>
    execFileSync(process.execPath, [resolve("dist/cli/main.js"), ...words], {
      cwd: folder,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  const file = resolve("examples/my-network/network.yaml");

  test("explain shows layers with shapes, parameters and cost, in 80 columns", () => {
    const text = saccade("explain", file);
    const lines = text.split("\n");
    expect(lines[0]).toMatch(/^narrow +in +out +parameters +MACs$/);
    expect(text).toMatch(/^conv1 +32×32×3 +16×16×24 +1\.80 k +1\.84 M$/m);
    expect(text).toMatch(/^head\.hidden1 +4×4×96 +128 +197 k +197 k$/m);
    expect(text).toMatch(/^conv1: 5 × 5, triangle, average pool 2$/m);
    for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80);
  });

  test("a run of it is trained, exported, imported from its own file, and refused as another network", () => {
    const short = ["data.limit=50", "batch=25", "epochs=1", "--no-probe", "--json"];
    const { run } = JSON.parse(
      saccade("train", file, ...short)
        .trim()
        .split("\n")
        .at(-1) ?? "",
    );
    expect(saccade("export", run, "--to", "narrow.onnx")).toMatch(/^wrote narrow\.onnx: narrow, 3 convolutions/);
    const { network: name } = JSON.parse(saccade("export", run, "--to", "narrow.safetensors", "--json"));
    expect(name).toBe("narrow");
    const taken = JSON.parse(saccade("import", "narrow.safetensors", "--network", file, "--json"));
    expect(taken).toMatchObject({
      network: "narrow",
      leftOut: ["head.hidden1.weight", "head.weight"],
      valueRange: [-1, 1],
    });
    expect(() => saccade("import", "narrow.safetensors", "--network", "cifar")).toThrow(
      /network must be cifar, as --network says, got narrow; set --network to a file that has its encoder/,
    );
  });
});
