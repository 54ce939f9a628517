// From words to a rule: presets, sections that belong to one update, and every sentence of a refused combination.

import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/training/parse-config.ts";
import { learningNames, lossNames, refusal, updateNames } from "../../src/training/registry.ts";

const parse = (more: object) =>
  parseConfig({ name: "a", data: { dataset: "mnist" }, encoder: "mnist", batch: 10, epochs: 1, ...more }, "a.yaml");

describe("preset authors-code", () => {
  const preset = "authors-code";

  test("takes the authors' choices where the configuration says nothing", () => {
    const config = parse({ preset, loss: { kind: "contrastiveHinge", negatives: 5 }, update: "DTP" });
    expect(config.augmentation).toMatchObject({ kind: "affine", perturb: 0.5, share: 0.5, outside: "zeros" });
    expect(config.loss).toMatchObject({ negatives: 5, negativesReading: "authors-code" });
    expect(config.dtp).toMatchObject({ order: "targetsFirst", noise: { kind: "absolute", size: 1 } });
    expect(parse({ preset, loss: { kind: "simclr" } }).loss).toMatchObject({ reduction: "mean" });
    expect(parse({ preset }).loss).toMatchObject({ kind: "contrastiveHinge", negativesReading: "authors-code" });
  });

  test("gives way to what the configuration does say", () => {
    const config = parse({
      preset,
      augmentation: { kind: "simclr" },
      loss: { kind: "contrastiveHinge", negativesReading: "paper-text" },
      update: "DTP",
      dtp: { order: "inversesFirst" },
    });
    expect(config.augmentation.kind).toBe("simclr");
    expect(config.loss).toMatchObject({ negativesReading: "paper-text" });
    expect(config.dtp).toMatchObject({ order: "inversesFirst", noise: { kind: "absolute", size: 1 } });
  });

  test("is not the default", () => {
    const config = parse({ loss: { kind: "contrastiveHinge", negatives: 5 } });
    expect(config).toMatchObject({ preset: "paper-text", augmentation: { kind: "simclr" } });
    expect(config.loss).toMatchObject({ negativesReading: "paper-text" });
  });
});

test.each([
  [{ dtp: {} }, "a.yaml: dtp is for update DTP, got update BP; leave it out"],
  [{ update: "RF", kolenPollack: { decay: 1 } }, "a.yaml: kolenPollack is for update KP, got update RF; leave it out"],
])("%j is refused", (more, sentence) => {
  expect(() => parse(more)).toThrow(sentence);
});

test("every combination parses or is refused with its reason", () => {
  for (const learning of learningNames)
    for (const update of updateNames)
      for (const loss of lossNames) {
        const reason = refusal({ learning, update, loss });
        const augmentation = { kind: loss === "clappPatches" ? "patches" : "simclr" };
        const make = () => parse({ learning, update, loss: { kind: loss }, augmentation });
        if (reason) expect(make).toThrow(`a.yaml: ${reason}`);
        else expect(make()).toMatchObject({ learning, update, loss: { kind: loss } });
      }
});
