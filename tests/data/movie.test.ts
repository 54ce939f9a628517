// Learning from a movie: a pair is a frame and a later one of its clip, its negatives are older objects, and the rest is training as ever.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse as parseYaml } from "yaml";
import type { Backend } from "../../src/backends/backend.ts";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { pairings } from "../../src/data/pairing.ts";
import { movieClip, proceduralMovie } from "../../src/data/procedural-objects.ts";
import { loadDataset } from "../../src/datasets/datasets.ts";
import { contrastiveHinge } from "../../src/losses/contrastive-hinge.ts";
import { recordProgram } from "../../src/program/program.ts";
import { randomStream } from "../../src/program/random.ts";
import { persistent } from "../../src/program/tensor.ts";
import { auditVerdicts } from "../../src/training/audit-rule.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import { createTrainer, type Trainer } from "../../src/training/trainer.ts";

const { frames, fixation } = movieClip;
/** Frames that the two of a pair stand apart in configs/movie.yaml: a saccade lies between them. */
const apart = fixation;
const pairsPerClip = frames - apart;

const picture = ({ pixels, height, width, channels }: ImageSet, i: number): Uint8Array =>
  pixels.subarray(i * height * width * channels, (i + 1) * height * width * channels);

describe("the procedural movie", () => {
  const make = (count: number, split: "train" | "test" = "train", size = 16): ImageSet =>
    proceduralMovie({ split, count, seed: 3, size });

  test("cuts to another object every so many frames, and says where", () => {
    const movie = make(5 * frames + 2);
    const clips = [...(movie.clips ?? [])];
    expect(clips).toEqual([0, 1, 2, 3, 4, 5].map((clip) => clip * frames));
    const still = (i: number): number => {
      const [a, b] = [picture(movie, i), picture(movie, i + 1)];
      return a.reduce((sum, value, k) => sum + Math.abs(value - b[k]), 0) / a.length;
    };
    for (const first of clips) {
      const labels = movie.labels.subarray(first, first + frames);
      expect(new Set(labels).size).toBe(1);
    }
    const turns = clips.map((first) => still(first));
    // A saccade changes the picture more than turning does: place, size, light and background are others.
    const saccades = clips
      .slice(0, 5)
      .flatMap((first) => [still(first + fixation - 1), still(first + 2 * fixation - 1)]);
    expect(Math.max(...turns)).toBeLessThan(Math.min(...saccades));
    // All but a sphere are seen to turn.
    clips.forEach((first, clip) => {
      if (movie.classes[movie.labels[first]] !== "sphere") expect(turns[clip]).toBeGreaterThan(0);
    });
    expect(turns.some((turn) => turn > 0)).toBe(true);
  });

  test("is keyed by seed, split and frame", async () => {
    const long = make(3 * frames);
    const short = make(frames + 3);
    expect(long.pixels.subarray(0, short.pixels.length)).toEqual(short.pixels);
    expect(make(3 * frames).pixels).toEqual(long.pixels);
    expect(picture(make(1, "test"), 0)).not.toEqual(picture(long, 0));
    expect(proceduralMovie({ split: "train", count: 1, seed: 4, size: 16 }).pixels).not.toEqual(picture(long, 0));
    const loaded = await loadDataset({ dataset: "procedural-movie", split: "train", limit: frames + 1, seed: 3 });
    const { name, count, clips, pixels } = loaded;
    expect({ name, count, clips }).toEqual({
      name: "procedural movie train",
      count: frames + 1,
      clips: Int32Array.of(0, frames),
    });
    expect(pixels).toEqual(make(frames + 1, "train", 32).pixels);
  });

  test.each([
    [{ count: 0 }, "proceduralMovie: count must be a whole number of at least 1, got 0"],
    [{ split: "all" as "test" }, "proceduralMovie: split must be unlabelled, train or test, got all"],
  ])("refuses %o", (options, sentence) => {
    expect(() => proceduralMovie({ split: "test", count: 1, seed: 0, ...options })).toThrow(sentence);
  });
});

describe("pairing frames", () => {
  const { pairs, order } = pairings.frames;
  const set = { name: "a movie", count: 9, clips: Int32Array.of(0, 4, 5) };

  test("takes every frame but the last of a clip, in order of time, with one that comes later in it", () => {
    const { anchors, partnerOf } = pairs(set, 1, 0);
    expect([...anchors]).toEqual([0, 1, 2, 5, 6, 7]);
    expect([...order(anchors, 1, 0)]).toEqual([...anchors]);
    expect([...anchors].map(partnerOf)).toEqual([1, 2, 3, 6, 7, 8]);
    const further = pairs(set, 3, 0);
    expect([...further.anchors]).toEqual([0, 5]);
    expect([...further.anchors].map(further.partnerOf)).toEqual([3, 8]);
  });

  test("shuffled, as a control, keeps anchors and partners and takes them apart", () => {
    const movie = { name: "a movie", count: 400, clips: Int32Array.from({ length: 50 }, (_, i) => 8 * i) };
    const [wanted, shuffled] = [pairs(movie, 2, 1), pairings.shuffledFrames.pairs(movie, 2, 1)];
    expect(shuffled.anchors).toEqual(wanted.anchors);
    const partners = [...shuffled.anchors].map(shuffled.partnerOf);
    expect(partners.toSorted((a, b) => a - b)).toEqual([...wanted.anchors].map(wanted.partnerOf));
    const together = [...shuffled.anchors].filter(
      (anchor, i) => Math.floor(anchor / 8) === Math.floor(partners[i] / 8),
    );
    expect(together.length / partners.length).toBeLessThan(0.06);
    const again = pairings.shuffledFrames.pairs(movie, 2, 1);
    expect([...again.anchors].map(again.partnerOf)).toEqual(partners);
    const other = pairings.shuffledFrames.pairs(movie, 2, 2);
    expect([...other.anchors].map(other.partnerOf)).not.toEqual(partners);
  });

  test("of still images, as a control, keeps every image once as an anchor and once as a partner", () => {
    const set = { name: "stills", count: 300 };
    const { anchors, partnerOf } = pairings.shuffledImages.pairs(set, 1, 4);
    expect(anchors).toEqual(pairings.augmentation.pairs(set, 1, 4).anchors);
    const partners = [...anchors].map(partnerOf);
    expect(partners.toSorted((a, b) => a - b)).toEqual([...anchors]);
    expect(partners.filter((partner, i) => partner === i).length).toBeLessThan(6);
  });

  test("needs a movie", () => {
    expect(() => pairs({ name: "CIFAR-10 train", count: 9 }, 1, 0)).toThrow(
      "train: data must be a movie for pairing frames, got CIFAR-10 train; take procedural-movie",
    );
  });
});

test("the error of a view depends on its own anchor and on the buffer, and on nothing later", async () => {
  const [n, d, count, gap, spacing] = [9, 4, 2, 3, 2];
  const embeddings = persistent("embeddings", [2 * n, d], "input");
  const record = recordProgram("hinge with a buffer");
  const negatives = { kind: "past", count, gap, spacing } as const;
  const loss = contrastiveHinge({ m1: 0.1, m2: 30, negatives, gradientBlock: true });
  const { error } = loss.prepare([1, 1, 1], 1).record(record, { output: embeddings });
  const program = record.finish([error]);
  const engine = await referenceBackend.prepare([program]);
  const random = randomStream(5);
  const numbers = Float64Array.from({ length: 2 * n * d }, random.normal);
  const errors = async (values: Float64Array): Promise<string[]> => {
    engine.write(embeddings, values);
    await engine.run(program);
    const all = [...(await engine.read(error))];
    return Array.from({ length: n }, (_, view) => all.slice(view * d, (view + 1) * d).join());
  };
  const before = await errors(numbers);
  for (let s = 0; s < n; s++) {
    // Anchor s moves to the other side of everything.
    const moved = numbers.slice();
    for (let k = 0; k < d; k++) moved[s * d + k] = moved[s * d + k] > 0 ? -5 : 5;
    const after = await errors(moved);
    const changed = after.flatMap((row, view) => (row === before[view] ? [] : [view]));
    expect(changed, `anchor ${s}`).toEqual([s, s + gap, s + gap + spacing].filter((view) => view < n));
  }
  await engine.dispose();
});

describe("training from the movie", () => {
  const configuration = readFileSync(new URL("../../configs/movie.yaml", import.meta.url), "utf8");
  const batch = 2 * pairsPerClip + 2;
  const shipped = parseYaml(configuration);
  // A buffer of two clips, for a batch of two and a little.
  const raw = (change: object = {}): unknown => ({
    ...shipped,
    loss: { ...shipped.loss, m1: 2, negatives: 2, spacing: pairsPerClip },
    // Twelve updates of each layer: no time to warm up.
    optimiser: { ...shipped.optimiser, schedule: { kind: "cosine" } },
    batch,
    epochs: 12,
    xrayEvery: 0,
    ...change,
  });
  const config = parseConfig(raw(), "movie.yaml");
  const movie = (clips: number): ImageSet => proceduralMovie({ split: "unlabelled", count: clips * frames, seed: 1 });

  /** A backend that keeps what is written to `indices`. */
  function watched(backend: Backend, seen: number[][]): Backend {
    return {
      ...backend,
      prepare: async (programs) => {
        const engine = await backend.prepare(programs);
        return {
          ...engine,
          write: (tensor, numbers) => {
            if (tensor.name === "indices") seen.push([...numbers]);
            engine.write(tensor, numbers);
          },
        };
      },
    };
  }

  async function losses(trainer: Trainer, steps: number): Promise<{ layer: number; loss: number }[]> {
    const results: { layer: number; loss: number }[] = [];
    for (let step = 0; step < steps; step++) {
      const { layer, loss } = await trainer.step();
      results.push({ layer: layer ?? 0, loss });
    }
    return results;
  }

  test("configs/movie.yaml satisfies all four conditions, and its negative stands a whole clip back", () => {
    const parsed = parseConfig(shipped, "movie.yaml");
    const past = { negativesReading: "past", negatives: 1, gap: pairsPerClip };
    expect(parsed).toMatchObject({ framesApart: apart, augmentation: { kind: "none" }, loss: past });
    const words = Object.values(auditVerdicts(parsed)).map(({ word }) => word);
    expect(words).toEqual(["pass", "pass", "pass", "none"]);
  });

  test("no pair spans a cut, and every negative is older than its view and shows another object", async () => {
    const set = movie(5);
    const clipOf = (frame: number): number => Math.floor(frame / frames);
    const seen: number[][] = [];
    const trainer = await createTrainer({ config, dataset: set, backend: watched(wasmBackend({ threads: 2 }), seen) });
    expect(trainer.stepsPerEpoch).toBe(2);
    await losses(trainer, 3);
    await trainer.dispose();
    expect(seen).toHaveLength(3);
    // The movie again from its beginning.
    expect(seen[2]).toEqual(seen[0]);
    let negatives = 0;
    for (const indices of seen) {
      const [anchors, views] = [indices.slice(0, batch), indices.slice(batch)];
      anchors.forEach((anchor, s) => {
        expect(views[s]).toBe(anchor + apart);
        expect(clipOf(views[s])).toBe(clipOf(anchor));
        if (s > 0) expect(anchor).toBeGreaterThan(anchors[s - 1]);
      });
      if (config.loss.kind !== "contrastiveHinge" || config.loss.negatives === "all") throw new Error("a buffer");
      const { gap = 1, spacing = 1, negatives: count } = config.loss;
      views.forEach((view, t) => {
        for (let k = 0; k < count; k++) {
          const anchor = anchors[t - gap - k * spacing];
          if (anchor === undefined) continue;
          negatives++;
          expect(anchor).toBeLessThan(view);
          expect(clipOf(anchor)).toBeLessThan(clipOf(view));
        }
      });
    }
    expect(negatives).toBeGreaterThan(0);
    expect(clipOf(seen[1][0])).toBeGreaterThan(0);
  });

  test("learns: the loss falls; twice the same run, and the same after a stop", async () => {
    const set = movie(3);
    const backend = wasmBackend({ threads: 2 });
    const first = await createTrainer({ config, dataset: set, backend });
    const all = await losses(first, first.totalSteps);
    const end = await first.state();
    await first.dispose();
    const lossesOf = (wanted: number): number[] => all.filter(({ layer }) => layer === wanted).map(({ loss }) => loss);
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean(lossesOf(5).slice(-5))).toBeLessThan(0.8 * lossesOf(5)[0]);
    // In low layers the distances first blow up: their heads sum over tens of thousands of inputs.
    for (const layer of [1, 3])
      expect(mean(lossesOf(layer).slice(-5)), `layer ${layer}`).toBeLessThan(
        0.5 * Math.max(...lossesOf(layer).slice(0, 5)),
      );
    const second = await createTrainer({ config, dataset: set, backend });
    const half = Math.floor(second.totalSteps / 2);
    const begun = await losses(second, half);
    const [state, position] = [await second.state(), second.position()];
    await second.dispose();
    const third = await createTrainer({ config, dataset: set, backend });
    await third.restore(state, position);
    const ended = await losses(third, third.totalSteps - half);
    expect([...begun, ...ended]).toEqual(all);
    for (const [name, values] of await third.state()) expect(values, name).toEqual(end.get(name));
    await third.dispose();
  }, 180_000);

  test.each([
    [{ data: { dataset: "cifar-10" } }, "pairing frames needs a movie, got dataset cifar-10; take procedural-movie"],
    [{ loss: { kind: "simclr" } }, "pairing frames needs loss contrastiveHinge with negativesReading past: any other"],
    [{ loss: { negatives: 5 } }, "pairing frames needs loss contrastiveHinge with negativesReading past: any other"],
    [{ loss: { negatives: 5, gap: 3 } }, "loss.gap is for negativesReading past, got paper-text; leave it out"],
    [
      { loss: { negativesReading: "past" } },
      "loss.negatives must be a number under negativesReading past, got all; give the length of the buffer",
    ],
    [
      { loss: { negatives: 6, negativesReading: "past", gap: 8, spacing: 8 }, batch: 48 },
      "the oldest of loss.negatives must be in the batch of 48 images, got one 48 back (gap 8, spacing 8); enlarge the batch",
    ],
    [{ loss: { negatives: 5, spacing: 3 } }, "loss.spacing is for negativesReading past, got paper-text; leave it out"],
  ])("%j is refused", (change, sentence) => {
    const whole = "loss" in change ? { ...change, loss: { kind: "contrastiveHinge", ...change.loss } } : change;
    expect(() => parseConfig(raw(whole), "movie.yaml")).toThrow(`movie.yaml: ${sentence}`);
  });

  test("a batch of more pairs than the movie has is refused", async () => {
    await expect(createTrainer({ config, dataset: movie(2), backend: referenceBackend })).rejects.toThrow(
      `train: batch must be at most the ${2 * pairsPerClip} pairs of frames of the movie, got ${batch}`,
    );
  });
});
