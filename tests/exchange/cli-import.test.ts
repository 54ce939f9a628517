// saccade import from the command line: what is refused, what is taken and said, and that what is measured is the network that was trained.

import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { npyNumbers, npyTexts } from "../../src/datasets/formats/npy.ts";
import { openNpz, type StoredArray } from "../../src/datasets/formats/npz.ts";
import { npy, npz } from "../support/numpy-files.ts";

const main = resolve("dist/cli/main.js");
const root = mkdtempSync(join(tmpdir(), "saccade-import-"));
beforeEach(() => rmSync(join(root, "runs"), { recursive: true, force: true }));
afterAll(() => rmSync(root, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const saccade = (...words: string[]): Promise<Ended> =>
  new Promise((done) => {
    const child = execFile(process.execPath, [main, ...words], { cwd: root }, (_, stdout, stderr) =>
      done({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });

const runs = (): string[] => (existsSync(join(root, "runs")) ? readdirSync(join(root, "runs")) : []);

/** Numbers of small size, others for each name. */
const numbers = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.sin(seed + 0.7 * i) / 12);

type Tensors = Readonly<Record<string, readonly [shape: readonly number[], values: readonly number[] | "I64"]>>;

/** A safetensors file, written by hand. */
function store(name: string, tensors: Tensors, metadata: object = {}): string {
  const header: Record<string, object> = { __metadata__: metadata };
  const parts: Buffer[] = [];
  let at = 0;
  for (const [tensor, [shape, values]] of Object.entries(tensors)) {
    const part = values === "I64" ? Buffer.alloc(8, 1) : Buffer.from(Float32Array.from(values).buffer);
    header[tensor] = { dtype: values === "I64" ? "I64" : "F32", shape, data_offsets: [at, at + part.length] };
    parts.push(part);
    at += part.length;
  }
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(join(root, name), Buffer.concat([length, text, ...parts]));
  return name;
}

const blocks = [
  ["conv1", 16, 3],
  ["conv2", 32, 16],
  ["conv3", 64, 32],
] as const;
const convolutions = (prefix = ""): Tensors =>
  Object.fromEntries(
    blocks.map(([name, o, i]) => [`${prefix}${name}.weight`, [[o, i, 3, 3], numbers(o * i * 9, o)] as const]),
  );
/** BatchNorms of mean m and deviation 1: the convolution's own output, less m. */
const shifting = (prefix = ""): Tensors =>
  Object.fromEntries(
    blocks.flatMap(([, o], i) => {
      const [ones, zeros] = [Array<number>(o).fill(1), Array<number>(o).fill(0)];
      const named = (end: string, values: readonly number[]) => [`${prefix}bn${i + 1}.${end}`, [[o], values]] as const;
      return [
        named("weight", ones),
        named("bias", zeros),
        named("running_mean", numbers(o, 5 * i)),
        named("running_var", ones),
        [`${prefix}bn${i + 1}.num_batches_tracked`, [[], "I64"]] as const,
      ];
    }),
  );

const pictures = Buffer.from(Uint8Array.from({ length: 6 * 16 * 16 * 3 }, (_, i) => (i * 37) % 251));
writeFileSync(
  join(root, "pictures.npz"),
  npz({
    images: npy("|u1", [6, 16, 16, 3], pictures),
    labels: npy(
      "<U3",
      [6],
      Buffer.concat(
        ["cat", "dog", "cat", "dog", "cat", "dog"].map((name) =>
          Buffer.from(name, "utf16le").reduce(
            (all, byte, i) => (i % 2 === 0 ? Buffer.concat([all, Buffer.of(byte, 0, 0, 0)]) : all),
            Buffer.alloc(0),
          ),
        ),
      ),
    ),
  }),
);

async function features(run: string): Promise<number[]> {
  const { code, stderr } = await saccade("export", run, "--to", "out.npz", "dataset=arrays", "file=pictures.npz");
  expect(code, stderr).toBe(0);
  return Array.from(
    npyNumbers(await ((await openNpz(join(root, "out.npz"))).get("features") as StoredArray).read()),
    Number,
  );
}

/** The network by hand, in float64: convolution, what `behind` makes of its output, Hardtanh and pooling as `tiny` has them. */
function byHand(
  tensors: Tensors,
  behind: (block: number, o: number, y: number) => number,
  pixel: (level: number, c: number) => number,
): number[] {
  const out: number[] = [];
  for (let n = 0; n < 6; n++) {
    let side = 16;
    let planes = [0, 1, 2].map((c) =>
      Float64Array.from({ length: 256 }, (_, p) => pixel(pictures[n * 768 + 3 * p + c], c)),
    );
    for (const [b, [name, outputs, inputs]] of blocks.entries()) {
      const w = tensors[`${name}.weight`][1] as readonly number[];
      const s = side;
      planes = Array.from({ length: outputs }, (_, o) =>
        Float64Array.from({ length: s * s }, (_, p) => {
          let y = 0;
          for (let i = 0; i < inputs; i++)
            for (let k = 0; k < 9; k++) {
              const [row, column] = [Math.floor(p / s) + Math.floor(k / 3) - 1, (p % s) + (k % 3) - 1];
              if (row >= 0 && row < s && column >= 0 && column < s)
                y += Math.fround(w[(o * inputs + i) * 9 + k]) * planes[i][row * s + column];
            }
          const value = behind(b, o, y);
          return b === 1 ? value : Math.min(1, Math.max(-1, value));
        }),
      );
      if (b === 0) continue;
      side = s / 2;
      planes = planes.map((plane) =>
        Float64Array.from({ length: side * side }, (_, p) => {
          const at = Math.floor(p / side) * 2 * s + (p % side) * 2;
          return Math.max(plane[at], plane[at + 1], plane[at + s], plane[at + s + 1]);
        }),
      );
    }
    for (const plane of planes) out.push(...plane);
  }
  return out;
}

const apart = (a: readonly number[], b: readonly number[]): number =>
  a.length === b.length ? a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0) : Number.NaN;

test("a BatchNorm between the blocks is refused, and folded in where it is said to follow its convolution", async () => {
  const tensors = { ...convolutions(), ...shifting(), "fc.weight": [[2, 1024], numbers(2048, 3)] } satisfies Tensors;
  const file = store("normed.safetensors", tensors);
  const refused = await saccade("import", file, "--network", "tiny");
  expect([refused.code, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toMatch(
    /^saccade: normed\.safetensors: must hold nothing else that could change what the blocks compute, got bn1\.weight, .*set --fold-batch-norm/,
  );
  expect(runs()).toEqual([]);
  const normalise = "normalise={mean: [.5, .4, .3], std: [.2, .25, .3]}";
  const folded = await saccade("import", file, "--network", "tiny", "--fold-batch-norm", normalise, "--json");
  expect(folded.code, folded.stderr).toBe(0);
  expect(folded.stderr).toBe(
    "folded: bn1 into conv1, bn2 into conv2, bn3 into conv3\nleft out: fc.weight; the encoder has none\nwarning: no valueRange is given, so before normalise pixel values 0 and 255 are taken as 0 and 1; otherwise give valueRange=[low,high]\n",
  );
  const { run, ...said } = JSON.parse(folded.stdout);
  expect(said).toEqual({
    network: "tiny-bias",
    folded: ["bn1 into conv1", "bn2 into conv2", "bn3 into conv3"],
    leftOut: ["fc.weight"],
    valueRange: [0, 1],
    normalise: { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3] },
  });
  expect(parse(readFileSync(join(root, run, "config.yaml"), "utf8"))).toMatchObject({
    encoder: "tiny-bias",
    valueRange: [0, 1],
    normalise: said.normalise,
  });
  const means = blocks.map(([, o], i) => numbers(o, 5 * i));
  const wanted = byHand(
    tensors,
    (block, o, y) => (y - Math.fround(means[block][o])) / Math.sqrt(1 + 1e-5),
    (level, c) => (level / 255 - said.normalise.mean[c]) / said.normalise.std[c],
  );
  const got = await features(run);
  expect(apart(got, wanted)).toBeLessThan(1e-4);
  // What leaves comes back as it was: biases, ranges and all.
  for (const kind of ["safetensors", "onnx"])
    expect((await saccade("export", run, "--to", `again.${kind}`)).code).toBe(0);
  const again = await saccade("import", "again.safetensors", "--network", "tiny", "--json");
  expect([again.code, again.stderr]).toEqual([0, ""]);
  expect(JSON.parse(again.stdout)).toMatchObject({
    network: "tiny-bias",
    valueRange: [0, 1],
    normalise: said.normalise,
  });
  expect(await features(JSON.parse(again.stdout).run)).toEqual(got);
});

test("what no range is given for is taken as [0, 1], which is said; a file and the command line must not contradict each other", async () => {
  const file = store("plain.safetensors", convolutions());
  const note =
    "warning: no valueRange is given, so pixel values 0 and 255 are taken as 0 and 1 in training; otherwise give valueRange=[-1,1] or the like, or normalise='{mean: […], std: […]}'\n";
  const silent = await saccade("import", file, "--network", "tiny");
  expect([silent.code, silent.stderr]).toEqual([0, note]);
  expect((await saccade("import", file, "--network", "tiny", "valueRange=[0,1]")).stderr).toBe("");
  const ranged = store("ranged.safetensors", convolutions(), {
    valueRange: "[-1, 1]",
    normalise: '{"mean":[0,0,0],"std":[1,1,2]}',
  });
  expect((await saccade("import", ranged, "--network", "tiny")).stderr).toBe("");
  expect((await saccade("import", ranged, "--network", "tiny", "normalise={mean: [0,0,0], std: [1,1,1]}")).stderr).toBe(
    'saccade: import: normalise must be {"mean":[0, 0, 0], "std":[1, 1, 2]}, as ranged.safetensors says, got {"mean":[0, 0, 0], "std":[1, 1, 1]}; leave it out\n',
  );
  expect((await saccade("import", file, "--network", "tiny", "normalise={mean: [.5], std: [.2]}")).stderr).toBe(
    "saccade: import of plain.safetensors: normalise.mean must be 3 numbers, one for each channel of tiny, got [0.5]; normalise.std must be 3 numbers, one for each channel of tiny, got [0.2]\n".replace(
      /; normalise\.std.*/s,
      "\n",
    ),
  );
});

test("names with something before them are found by --prefix, which the refusal names", async () => {
  const file = store("prefixed.safetensors", { ...convolutions("state_dict.module."), epoch: [[], "I64"] });
  expect((await saccade("import", file, "--network", "tiny")).stderr).toBe(
    "saccade: prefixed.safetensors: conv1.weight must be [16, 3, 3, 3], as network tiny has it, got nothing; set --prefix state_dict.module.\n",
  );
  expect((await saccade("import", file, "--network", "tiny", "--prefix", "state_dict.module.")).stderr).toMatch(
    /must hold nothing else that could change what the blocks compute, got epoch; if it comes after the last block, or computes nothing, set --leave-out epoch;/,
  );
  const words = ["--prefix", "state_dict.module.", "--leave-out", "epoch", "valueRange=[0,1]"];
  const { code, stdout, stderr } = await saccade("import", file, "--network", "tiny", ...words, "--json");
  expect([code, stderr]).toEqual([0, "left out: epoch; the encoder has none\n"]);
  const plain = await saccade("import", store("same.safetensors", convolutions()), "--network", "tiny", "--json");
  expect(await features(JSON.parse(stdout).run)).toEqual(await features(JSON.parse(plain.stdout).run));
});

test("exported embeddings say what their classes are called", async () => {
  const { stdout } = await saccade("import", store("named.safetensors", convolutions()), "--network", "tiny", "--json");
  await features(JSON.parse(stdout).run);
  const arrays = await openNpz(join(root, "out.npz"));
  expect(npyTexts(await (arrays.get("classes") as StoredArray).read())).toEqual(["cat", "dog"]);
  expect(Array.from(npyNumbers(await (arrays.get("labels") as StoredArray).read()), Number)).toEqual([
    0, 1, 0, 1, 0, 1,
  ]);
});

test.each([
  ["--batch-norm-epsilon", "0"],
  ["--batch-norm-epsilon", "small"],
])("%s %s is refused", async (option, value) => {
  const { code, stderr } = await saccade("import", "x", "--network", "tiny", option, value);
  expect([code, stderr]).toEqual([2, expect.stringContaining("It must be a number above 0.")]);
});
