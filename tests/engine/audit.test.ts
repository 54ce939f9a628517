// The locality audit: its verdicts on the paper's rules, borne out by intervention, and faults that both must find.

import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import type { Encoder } from "../../src/encoders/encoder.ts";
import type { BlockTrace } from "../../src/encoders/forward.ts";
import { createModel, type Synapses } from "../../src/encoders/model.ts";
import { networks } from "../../src/encoders/networks.ts";
import { auditFigure } from "../../src/figures/audit.ts";
import { coneProgram, dataflow } from "../../src/program/audit/dataflow.ts";
import { auditProgram, conditions, type LayerAudit, summarise } from "../../src/program/audit.ts";
import { type Recorder, recordProgram } from "../../src/program/program.ts";
import { persistent, reshape, rows, sizeOf, type Tensor } from "../../src/program/tensor.ts";
import {
  recordBlockChange,
  recordBlockError,
  recordErrorPath,
  recordHeadChange,
  recordHeadError,
} from "../../src/rules/error-path.ts";
import { createFeedback } from "../../src/rules/feedback.ts";
import { recordRouting } from "../../src/rules/routing.ts";
import { recordRule } from "../../src/rules/rule.ts";
import { learningRows, type PreparedUpdate, type Update } from "../../src/rules/update.ts";
import { intervene } from "../../src/training/audit-intervention.ts";
import { auditConfigured, confirmed, disagreements, startValues } from "../../src/training/audit-rule.ts";
import type { Config } from "../../src/training/config.ts";
import { configuredRule } from "../../src/training/configured-rule.ts";
import { parseConfig } from "../../src/training/parse-config.ts";

const configured = (settings: object): Config =>
  parseConfig(
    { name: "audited", encoder: "tiny", batch: 8, epochs: 1, data: { dataset: "cifar-10" }, ...settings },
    "test",
  );
const hinge = { kind: "contrastiveHinge" };
const blocked = { ...hinge, negatives: 5, gradientBlock: true };

const patches = { augmentation: { kind: "patches", crop: 16, size: 8, stride: 4 } };
const patchLoss = { kind: "clappPatches", steps: 1, negatives: 3 };

describe("the verdicts (i) to (iv), each borne out by intervention", () => {
  test.each([
    // Table 1, without and with the constraints.
    [{ update: "BP", loss: hinge }, ["both views", "pass", "fail", "none"]],
    [{ update: "BP", loss: blocked }, ["pass", "pass", "fail", "none"]],
    [{ update: "DTP", loss: hinge }, ["both views", "pass", "head only", "none"]],
    // Inverses learn from anchors too, with the gradient block or without; a supervised step has but one view.
    [{ update: "DTP", loss: blocked }, ["both views", "pass", "head only", "none"]],
    [{ update: "DTP", dtp: { head: "feedback" }, loss: blocked }, ["both views", "pass", "pass", "none"]],
    [{ update: "DTP", dtp: { order: "targetsFirst" }, loss: blocked }, ["both views", "pass", "head only", "none"]],
    [{ update: "DTP", loss: { kind: "amitHinge" } }, ["pass", "pass", "head only", "used"]],
    [{ update: "RF", loss: hinge }, ["both views", "pass", "pass", "none"]],
    [{ update: "RF", loss: blocked }, ["pass", "pass", "pass", "none"]],
    [{ learning: "GLL", update: "BP", loss: blocked }, ["pass", "pass", "head only", "none"]],
    [{ learning: "GLL", update: "URF", loss: blocked }, ["pass", "pass", "pass", "none"]],
    [{ learning: "GLL", update: "RF", loss: hinge }, ["both views", "pass", "pass", "none"]],
    [{ learning: "RLL", update: "BP", loss: hinge }, ["both views", "pass", "head only", "none"]],
    [{ learning: "RLL", update: "RF", loss: blocked }, ["pass", "pass", "pass", "none"]],
    [{ loss: { kind: "simclr" } }, ["fail", "fail", "fail", "none"]],
    [{ loss: { kind: "clapp" } }, ["fail", "fail", "fail", "none"]],
    [{ learning: "GLL", loss: { kind: "clapp" } }, ["fail", "fail", "fail", "none"]],
    [{ ...patches, loss: patchLoss }, ["fail", "fail", "fail", "none"]],
    [{ ...patches, learning: "GLL", loss: patchLoss }, ["fail", "fail", "fail", "none"]],
    // Weights of its own on the way back: no transport where layers learn alone.
    [{ ...patches, learning: "GLL", loss: { ...patchLoss, retrodiction: true } }, ["fail", "fail", "pass", "none"]],
    [{ ...patches, loss: { ...patchLoss, retrodiction: true } }, ["fail", "fail", "fail", "none"]],
    // Beyond it.
    [{ update: "URF", loss: blocked }, ["pass", "pass", "pass", "none"]],
    [{ update: "KP", loss: blocked }, ["pass", "pass", "pass", "none"]],
    [{ update: "DFA", loss: blocked }, ["pass", "pass", "pass", "none"]],
    [{ update: "SSF", loss: blocked }, ["pass", "pass", "signs only", "none"]],
    [{ learning: "RLL", update: "RF", loss: { kind: "simclr" } }, ["fail", "fail", "pass", "none"]],
    // Positives and negatives teach at once, each of two views; no feedback, and no weight that an error would pass.
    [{ learning: "GLL", loss: { kind: "scff" } }, ["both views", "pass", "pass", "none"]],
    [{ learning: "RLL", loss: { kind: "scff" } }, ["both views", "pass", "pass", "none"]],
    [{ update: "RF", loss: { kind: "amitHinge" } }, ["pass", "pass", "pass", "used"]],
    [{ update: "RF", loss: { kind: "crossEntropy" } }, ["fail", "fail", "pass", "used"]],
  ])("%j", async (settings, words) => {
    const { summary, lessons } = await auditConfigured(configured(settings), referenceBackend);
    expect(conditions.map((condition) => summary[condition].word)).toEqual(words);
    const layers = lessons.flatMap((lesson) => lesson.layers);
    expect(layers.flatMap((layer) => layer.disagreements.map((line) => `${layer.layer}: ${line}`))).toEqual([]);
    for (const { intervention } of layers) {
      expect(intervention.silent).toBe(false);
      expect(intervention.inside.length).toBeGreaterThan(0);
    }
  });

  test("biases as well, where there are any", async () => {
    const { lessons } = await auditConfigured(configured({ update: "DTP", loss: hinge }), referenceBackend);
    const layers = lessons.flatMap((lesson) => lesson.layers);
    const at = layers.flatMap(({ layer, interventionAtBiases }) => (interventionAtBiases ? [layer] : []));
    expect(at).toEqual(["conv2.inverse", "conv3.inverse"]);
    const [, , { interventionAtBiases }] = layers;
    expect(interventionAtBiases).toMatchObject({
      bias: true,
      silent: false,
      outside: "identical",
      weights: "identical",
    });
    expect(interventionAtBiases?.inside).toEqual([
      { tensor: "conv2.inverse.rebuilt.hardtanh", kind: "post", outcome: "changed" },
      { tensor: "conv2.inverse.noisy", kind: "post", outcome: "changed" },
    ]);
  });

  test("biases that sum an error of distances over both views never change, and the program shows it", async () => {
    const encoder = {
      input: { height: 8, width: 8, channels: 3 },
      blocks: [{ outputs: 8, kernel: 3, after: ["relu"] }],
      head: { averagePool: 4, outputs: 16, bias: true },
    };
    const heads = async (loss: object) => {
      const { lessons } = await auditConfigured(configured({ encoder, loss }), referenceBackend);
      return lessons.flatMap(({ layers }) => layers).filter(({ layer }) => layer === "head");
    };
    const [both] = await heads(hinge);
    expect(both).toMatchObject({ biasesCancel: true, interventionAtBiases: { silent: true } });
    expect(both.disagreements.join()).toMatch(/^the biases never change, whatever the images: /);
    // Under the block the anchors are sent nothing that could cancel.
    const [one] = await heads(blocked);
    expect(one).toMatchObject({ biasesCancel: false, interventionAtBiases: { silent: false }, disagreements: [] });
  });

  test("holds on the WASM backend as well", async () => {
    const { lessons } = await auditConfigured(configured({ update: "RF", loss: blocked }), wasmBackend({ threads: 1 }));
    expect(lessons.flatMap(({ layers }) => layers.flatMap((layer) => layer.disagreements))).toEqual([]);
  });
});

test("layers fail where their own error is made, and name what does it", async () => {
  const { summary, lessons } = await auditConfigured(configured({ loss: { kind: "simclr" } }), referenceBackend);
  const [conv1, , conv3, head] = lessons[0].layers;
  expect([conv1, conv3, head].map(({ activities }) => activities.word)).toEqual(["both views", "both views", "fail"]);
  expect([conv1, conv3, head].map(({ transport }) => transport.word)).toEqual(["fail", "head only", "pass"]);
  expect(head.intervention.outside).toBe("changed");
  expect(summary.transport.because.toSorted()).toEqual(["conv2.weight", "conv3.weight", "head.weight"]);
  expect(summary.arithmetic.because.join()).toMatch(/normaliseRows.*linearInputGradient → similarities.*ntXent/);
});

describe("what a layer waits for and holds", () => {
  const audited = (settings: object): LayerAudit[] => {
    const config = configured(settings);
    const dataset = { ...networks.tiny, count: 8, classes: 10 };
    return recordRule(configuredRule(config, createModel(networks.tiny), dataset)).lessons.flatMap(
      ({ program }) => auditProgram(program).layers,
    );
  };

  test("end to end: all layers above, and their errors coming down", () => {
    const [conv1, , , head] = audited({ loss: hinge });
    expect(conv1.locking).toMatchObject({
      forward: ["conv2", "conv3", "head"],
      loss: true,
      backward: ["head.weight", "conv3.weight", "conv2.weight"],
    });
    expect(head.locking).toMatchObject({ forward: [], loss: true, backward: [] });
    expect(conv1.locking.operations).toBeGreaterThan(head.locking.operations);
  });

  test("layer by layer: its own head alone", () => {
    const layers = audited({ learning: "RLL", update: "RF", loss: blocked });
    expect(layers.map(({ layer }) => layer)).toEqual(["conv1", "head1", "conv2", "head2", "conv3", "head3"]);
    expect(layers[2].locking).toMatchObject({ forward: ["head2"], backward: ["head2.feedback.weight"] });
  });

  test("an inverse: nothing, and what its own pass with noise leaves", () => {
    const [, , inverse] = audited({ update: "DTP", loss: blocked });
    expect(inverse).toMatchObject({
      layer: "conv2.inverse",
      synapses: ["conv2.inverse.weight", "conv2.inverse.bias"],
      locking: { forward: [], loss: false, backward: [] },
      negatives: undefined,
    });
    // Both views of 8 images: what is to be rebuilt, what is, and what it is rebuilt from.
    const bytes = (pixels: number, channels: number): number => 16 * pixels * channels * 4;
    expect(inverse.held).toEqual([
      expect.objectContaining({ tensor: "conv2.inverse.rebuilt.hardtanh", bytes: bytes(16 * 16, 16) }),
      expect.objectContaining({ tensor: "conv2.inverse.noisy", bytes: bytes(16 * 16, 16) }),
      expect.objectContaining({ tensor: "conv2.inverse.forward.pooled", bytes: bytes(8 * 8, 32) }),
    ]);
  });

  test("feedback with the weights' increments: what its layer waits for", () => {
    for (const update of ["URF", "KP"]) {
      const layers = audited({ update, loss: blocked });
      const [conv1, conv2, feedback] = layers;
      expect(layers.map(({ layer }) => layer).filter((name) => name.endsWith("feedback"))).toEqual([
        "conv2.feedback",
        "conv3.feedback",
        "head.feedback",
      ]);
      expect(feedback.locking).toEqual(conv2.locking);
      expect(feedback.sources.map(({ kind, tensor }) => `${kind} ${tensor}`)).toEqual([
        "post conv1.hardtanh[8:16]",
        "pre conv2.unpooled",
      ]);
      expect(feedback.negatives).toBe(conv1.negatives);
    }
  });

  test("activities until they are read, and half as many under the gradient block", () => {
    const held = (settings: object) => audited(settings)[3].held;
    // Features of 16 and of 8 views, 4 · 4 · 64 numbers each; the embeddings of both views are compared in any case.
    const features = (views: number): number => views * 4 * 4 * 64 * 4;
    expect(held({ loss: hinge })[0].bytes).toBe(features(16));
    expect(held({ loss: blocked })[0].bytes).toBe(features(8));
    expect(held({ loss: blocked }).slice(1)).toEqual([
      expect.objectContaining({ tensor: "embeddings[0:8]", bytes: 8 * 64 * 4 }),
      expect.objectContaining({ tensor: "embeddings[8:16]", bytes: 8 * 64 * 4 }),
    ]);
    // views → three blocks of 5 operations in all → head → distance → gates → two errors → the head's change and error → back.
    const [conv1] = audited({ loss: hinge });
    const { operations } = recordRule(
      configuredRule(configured({ loss: hinge }), createModel(networks.tiny), {
        ...networks.tiny,
        count: 8,
        classes: 10,
      }),
    ).lessons[0].program;
    const lastReader = operations.findLastIndex(({ kind }) => kind === "conv2dWeightGradient");
    expect(conv1.held[0]).toMatchObject({ tensor: "views", operations: lastReader });
  });

  test.each([
    [{ loss: hinge }, 7],
    [{ loss: blocked }, 5],
    [{ loss: { ...hinge, negatives: 5, negativesReading: "authors-code" } }, 4],
    [{ loss: { kind: "simclr" } }, 14],
    [{ loss: { kind: "clapp" } }, 7],
    [{ ...patches, loss: patchLoss }, 3],
    [{ learning: "GLL", loss: { kind: "scff" } }, 1],
    [{ loss: { kind: "crossEntropy" } }, undefined],
  ])("negatives of %j: %s", (settings, negatives) => {
    for (const layer of audited(settings)) expect(layer.negatives).toBe(negatives);
  });

  const embedding = 64 * 4;
  test.each([
    [{ loss: hinge }, 8, embedding],
    [{ loss: blocked }, 6, embedding],
    [{ loss: { ...hinge, negatives: 1 } }, 2, embedding],
    [{ loss: { ...hinge, negatives: 5, negativesReading: "authors-code" } }, 5, embedding],
    // The oldest of 2 negatives from 3 behind lies 4 behind.
    [{ loss: { ...hinge, negatives: 2, negativesReading: "past", gap: 3 } }, 5, embedding],
    [{ loss: { ...hinge, negatives: 2, negativesReading: "past", gap: 1 } }, 3, embedding],
    [{ loss: { ...hinge, negatives: 2, negativesReading: "past", gap: 2, spacing: 3 } }, 6, embedding],
    [{ loss: { kind: "simclr" } }, 15, embedding],
  ])("what %j must remember for one view: %s embeddings", (settings, views, each) => {
    const layers = audited(settings);
    expect(layers.at(-1)?.remembers).toEqual({ views, bytes: views * each });
    for (const layer of layers.slice(0, -1)) expect(layer.remembers).toBe(undefined);
    const heads = audited({ ...settings, learning: "RLL", update: "URF" }).filter(({ layer }) =>
      layer.startsWith("head"),
    );
    for (const { layer, remembers } of heads)
      expect(remembers).toEqual(layer.endsWith("feedback") ? undefined : { views, bytes: views * each });
  });

  test("without a head maps are remembered, or the other half of what is superposed; with labels nothing", () => {
    const memory = (settings: object) =>
      Object.fromEntries(audited(settings).map(({ layer, remembers }) => [layer, remembers]));
    const map = 4 * 4 * 64 * 4;
    expect(memory({ loss: { kind: "clapp" } })).toMatchObject({ conv3: { views: 8, bytes: 8 * map } });
    const inputs = [16 * 16 * 3, 16 * 16 * 16, 8 * 8 * 32].map((numbers) => ({ views: 1, bytes: numbers * 4 }));
    expect(Object.values(memory({ learning: "GLL", loss: { kind: "scff" } }))).toEqual(inputs);
    for (const remembers of Object.values(memory({ update: "RF", loss: { kind: "amitHinge" } })))
      expect(remembers).toBe(undefined);
  });

  test("what the paper leaves aside is said", () => {
    const named = new Map(audited({ update: "URF", loss: blocked }).map((layer) => [layer.layer, layer]));
    const [conv1, conv2, head] = ["conv1", "conv2", "head"].map((name) => named.get(name) as LayerAudit);
    expect(conv1.leftAside).toEqual(
      expect.arrayContaining([
        "weights shared across positions",
        "exact activation derivatives",
        "exact pooling routes on the way back",
        "a distance over all units of the embedding gates each pair",
      ]),
    );
    const increments = "feedback receives the weights' own increments";
    const second = "a second pass of every view, with noise";
    const [, dtp, inverse] = audited({ update: "DTP" });
    for (const { leftAside } of [
      conv2,
      head,
      ...[...named.values()].filter(({ layer }) => layer.includes(".feedback")),
    ])
      expect(leftAside).toContain(increments);
    for (const { leftAside } of [conv1, inverse]) expect(leftAside).not.toContain(increments);
    expect([conv2, dtp, inverse].map(({ leftAside }) => leftAside.includes(second))).toEqual([false, false, true]);
    expect(head.leftAside).not.toContain("weights shared across positions");
    const goodness = [
      "a goodness over all units of a place gates each of them, by degrees",
      "the activities of two views superposed at the layer's input",
    ];
    for (const layer of audited({ learning: "GLL", loss: { kind: "scff" } }))
      expect(layer.leftAside).toEqual(expect.arrayContaining(goodness));
    for (const line of goodness) expect(conv1.leftAside).not.toContain(line);
    const noise = "noise scaled to the standard deviation of a whole layer";
    expect(audited({ update: "DTP" })[0].leftAside).toContain(noise);
    expect(audited({ update: "DTP", dtp: { noise: { kind: "absolute", size: 1 } } })[0].leftAside).not.toContain(noise);
  });
});

describe("planted faults", () => {
  /** Three layers whose pictures and weights have one shape, so that anything may be added to anything. */
  const even: Encoder = {
    ...networks.tiny,
    name: "even",
    height: 6,
    width: 6,
    blocks: [1, 2, 3].map((i) => ({
      name: `conv${i}`,
      outputs: 3,
      kernel: 3,
      stride: 1,
      padding: 1,
      bias: false,
      after: ["hardtanh"],
    })),
    head: { averagePool: 1, outputs: 5, bias: false },
  };

  async function audit(update: Update, loss: object = { ...hinge, gradientBlock: true }, encoder = even) {
    const config = configured({ update: "RF", batch: 2, loss });
    const rule = { ...configuredRule(config, createModel(encoder), { ...encoder, count: 2, classes: 10 }), update };
    const recorded = recordRule(rule);
    const [{ program }] = recorded.lessons;
    const { layers } = auditProgram(program);
    const found = await intervene(program, startValues(config, rule, recorded), referenceBackend, 1);
    return {
      layers,
      found,
      disagreements: layers.flatMap((layer) => confirmed(layer, found).disagreements),
    };
  }

  const rf = (record: (of: ReadonlyMap<Tensor, Tensor>) => PreparedUpdate["record"]): Update => ({
    name: "RF",
    prepare: (learners) => {
      const { of, parameters } = createFeedback(learners);
      return { parameters, record: record(of) };
    },
  });
  const carried = (
    carrier: (record: Recorder, of: ReadonlyMap<Tensor, Tensor>, synapses: Synapses) => Tensor,
  ): Update =>
    rf(
      (of) =>
        ({ record }, trace, signal) =>
          recordErrorPath(record, trace, signal, (synapses) => carrier(record, of, synapses)),
    );
  const feedback = (of: ReadonlyMap<Tensor, Tensor>, { weight }: Synapses): Tensor => of.get(weight) ?? weight;

  test("none in RF itself", async () => {
    const { layers, disagreements: none } = await audit(carried((_, of, synapses) => feedback(of, synapses)));
    expect(none).toEqual([]);
    for (const condition of conditions) expect(summarise(condition, layers).verdict).toBe("pass");
  });

  test.each([
    ["the weights themselves", (_: Recorder, __: unknown, { weight }: Synapses) => weight],
    [
      "a copy of the weights",
      (record: Recorder, _: unknown, { weight }: Synapses) =>
        record.combine({ a: weight, b: weight }, { alpha: 0.5, beta: 0.5 }, { y: `${weight.name}.copy` }).y,
    ],
  ])("an update that calls itself RF and carries the error through %s", async (_, carrier) => {
    const { layers, found, disagreements: none } = await audit(carried(carrier));
    expect(summarise("transport", layers)).toMatchObject({ verdict: "fail", word: "fail" });
    expect(summarise("transport", layers).because.toSorted()).toEqual(["conv2.weight", "conv3.weight", "head.weight"]);
    expect(found.map(({ weights }) => weights)).toEqual(["changed", "changed", "changed", "identical"]);
    expect(none).toEqual([]);
  });

  test("a carrier that is half weights, half feedback, made in the step: an error that comes down through synapses", async () => {
    const {
      layers,
      found,
      disagreements: none,
    } = await audit(
      carried((record, of, synapses) => {
        const [a, b] = [synapses.weight, feedback(of, synapses)];
        return record.combine({ a, b }, { alpha: 0.5, beta: 0.5 }, { y: `${a.name}.half` }).y;
      }),
    );
    for (const condition of ["activities", "arithmetic"] as const)
      expect(summarise(condition, layers)).toMatchObject({ verdict: "pass", because: [] });
    expect(summarise("transport", layers)).toMatchObject({ verdict: "fail", word: "fail" });
    expect(summarise("transport", layers).because.toSorted()).toEqual(["conv2.weight", "conv3.weight", "head.weight"]);
    expect(layers[0].locking.backward).toEqual(["head.weight.half", "conv3.weight.half", "conv2.weight.half"]);
    expect(layers[0].sources.map(({ kind, tensor }) => `${kind} ${tensor}`)).toEqual([
      "pre views[2:4]",
      "error conv2.inputError",
      "post conv1.hardtanh[2:4]",
    ]);
    expect(found.map(({ outside }) => outside)).toEqual(["identical", "identical", "identical", "identical"]);
    expect(none).toEqual([]);
  });

  test("a carrier made of two feedbacks carries no weights, one with an activity in it is no synapse", async () => {
    const made = (other: (of: ReadonlyMap<Tensor, Tensor>, synapses: Synapses) => Tensor) =>
      carried((record, of, synapses) => {
        const [a, b] = [feedback(of, synapses), other(of, synapses)];
        return record.combine({ a, b }, { alpha: 1, beta: 1 }, { y: `${synapses.weight.name}.made` }).y;
      });
    const honest = await audit(made((of, synapses) => feedback(of, synapses)));
    for (const condition of conditions) expect(summarise(condition, honest.layers).verdict).toBe("pass");
    expect(honest.layers[0].locking.backward).toHaveLength(3);
    const rule = rf(
      (of) =>
        ({ record }, trace, signal) =>
          recordErrorPath(record, trace, signal, (synapses) => {
            const b = feedback(of, synapses);
            if (synapses.weight.name !== "conv2.weight") return b;
            // As many numbers as conv2's weight has.
            const [{ input }] = trace.blocks;
            const few: Tensor = { ...input, name: "few", shape: b.shape, window: { of: input, offset: 0 } };
            return record.combine({ a: b, b: few }, { alpha: 1, beta: 1 }, { y: "mixed" }).y;
          }),
    );
    const mixed = await audit(rule);
    expect(mixed.layers[0].activities.verdict).toBe("fail");
    expect(mixed.layers[0].arithmetic.because.join()).toContain("inner product across units");
    expect(mixed.layers[0].locking.backward).toHaveLength(2);
    expect(mixed.found[0].outside).toBe("changed");
    expect(mixed.disagreements).toEqual([]);
  });

  describe("what meets in a product", () => {
    /** RF without the gradient block, where conv2 learns from what `products` makes of its input and the errors at its units. */
    const conv2Learns = (products: (record: Recorder, trace: BlockTrace, errors: Tensor) => Tensor): Update =>
      rf((of) => ({ record }, { blocks, head }, { error: top, firstRow }) => {
        if (!head) throw new Error("a head was expected");
        const changes = recordHeadChange(record, head, top, firstRow);
        let error = recordHeadError(record, head, top, feedback(of, head.synapses));
        for (const trace of blocks.toReversed()) {
          const routed = recordRouting(record, trace, error, firstRow);
          if (trace !== blocks[1]) changes.push(...recordBlockChange(record, trace, routed, firstRow));
          else changes.push({ weight: trace.synapses.weight, gradient: products(record, trace, routed) });
          if (trace !== blocks[0]) error = recordBlockError(record, trace, routed, feedback(of, trace.synapses));
        }
        return changes;
      });
    const product = (record: Recorder, x: Tensor, dy: Tensor, dw: string | Tensor): Tensor =>
      record.conv2dWeightGradient({ x, dy }, { stride: 1, padding: 1, kernel: [3, 3] }, { dw }).dw;

    test("two half-batches apart, then added: both views", async () => {
      const { layers, disagreements: none } = await audit(
        conv2Learns((record, { input }, errors) => {
          const half = (start: number): Tensor =>
            product(record, rows(input, start, 2), rows(errors, start, 2), `half${start}`);
          return record.combine({ a: half(0), b: half(2) }, { alpha: 1, beta: 1 }, { y: "halves" }).y;
        }),
        hinge,
      );
      expect(layers.map(({ activities }) => activities.word)).toEqual(Array(4).fill("both views"));
      expect(none).toEqual([]);
    });

    test.each([
      ["the view's input and the view's error", 2, 2, "pass", "pre"],
      ["the anchor's input and the view's error", 0, 2, "both views", "trace"],
      ["the view's input and the anchor's error", 2, 0, "both views", "trace"],
      ["the input of another image", 1, 2, "fail", "foreign"],
    ] as const)("%s", async (_, inputs, errors, word, kind) => {
      const {
        layers,
        found,
        disagreements: none,
      } = await audit(
        conv2Learns((record, { input }, all) => product(record, rows(input, inputs, 2), rows(all, errors, 2), "one")),
        hinge,
      );
      const [, { activities, sources, held }] = layers;
      expect(activities.word).toBe(word);
      const name = `conv1.hardtanh[${inputs}:${inputs + 2}]`;
      expect(sources).toContainEqual({ kind, tensor: name });
      expect(held.some(({ tensor }) => tensor === name)).toBe(word !== "fail");
      expect(activities.because.some((line) => line.includes("another image's"))).toBe(word === "fail");
      expect(found[1].outside).toBe(word === "fail" ? "changed" : "identical");
      expect(none).toEqual([]);
    });

    test("two images as one picture: shapes hide no rows", async () => {
      const { layers, disagreements: none } = await audit(
        conv2Learns((record, { input }, errors) => {
          const tall = (tensor: Tensor, start: number) => reshape(rows(tensor, start, 2), [1, 12, 6, 3]);
          return product(record, tall(input, 1), tall(errors, 2), "one");
        }),
        hinge,
      );
      expect(layers[1].activities.word).toBe("fail");
      expect(none).toEqual([]);
    });

    test("two images as one picture: both views are both", async () => {
      const { layers, disagreements: none } = await audit(
        conv2Learns((record, { input }, errors) => {
          const tall = (tensor: Tensor) => reshape(tensor, [2, 12, 6, 3]);
          return product(record, tall(input), tall(errors), "one");
        }),
        hinge,
      );
      expect(layers[1].activities.word).toBe("both views");
      expect(none).toEqual([]);
    });

    test("where an image has one view, half a batch away is another image", async () => {
      const { layers, disagreements: none } = await audit(
        conv2Learns((record, { input }, errors) => product(record, rows(input, 0, 1), rows(errors, 1, 1), "one")),
        { kind: "amitHinge" },
      );
      expect(layers.map(({ activities }) => activities.word)).toEqual(["pass", "fail", "pass", "pass"]);
      expect(none).toEqual([]);
    });

    test("errors of both views added, beside one view's input", async () => {
      const { layers, disagreements: none } = await audit(
        conv2Learns((record, { input }, errors) => {
          const [a, b] = [rows(errors, 0, 2), rows(errors, 2, 2)];
          const both = record.combine({ a, b }, { alpha: 1, beta: 1 }, { y: "bothErrors" }).y;
          return product(record, rows(input, 2, 2), both, "one");
        }),
        hinge,
      );
      expect(layers[1].activities.word).toBe("both views");
      expect(none).toEqual([]);
    });

    test.each([
      ["change of its neighbour from the next input", 3, "pre"],
      ["change of its neighbour at the next unit", 1, "post"],
      ["trace of its neighbour", 3, "trace"],
      ["strength of its neighbour", 3, "synapse"],
    ] as const)("a synapse that takes in the %s: the intervention alone finds it", async (_, away, kind) => {
      const {
        layers,
        found,
        disagreements: doubts,
      } = await audit(
        conv2Learns((record, { input, synapses: { weight } }, errors) => {
          const wide = record.tensor("wide", [4, 3, 3, 3], "update");
          const [own, first] = [rows(wide, 0, 3), rows(wide, 0, 1)];
          if (kind === "synapse") record.combine({ a: weight, b: weight }, { alpha: 1, beta: 1 }, { y: own });
          else if (kind === "trace") product(record, rows(input, 0, 2), rows(errors, 2, 2), own);
          else product(record, input, errors, own);
          record.combine({ a: first, b: first }, { alpha: 1, beta: 1 }, { y: rows(wide, 3, 1) });
          const neighbour = { ...own, name: "neighbour", window: { of: wide, offset: away } };
          return record.combine({ a: own, b: neighbour }, { alpha: 1, beta: 1 }, { y: "together" }).y;
        }),
        hinge,
      );
      expect(layers[1].activities.verdict).not.toBe("fail");
      expect(layers[1].sources.map((source) => source.kind)).toContain(kind);
      expect(found.map(({ outside }) => outside)).toEqual(["identical", "changed", "identical", "identical"]);
      expect(doubts).toEqual(["noise outside the locality: changed, expected identical"]);
    });

    test("the strength of another synapse is not its own", async () => {
      const { layers, disagreements: none } = await audit(
        conv2Learns((record, { synapses: { weight } }) => {
          const [most, last] = [rows(weight, 1, 2), rows(weight, 0, 1)];
          const turned = record.tensor("turned", weight.shape, "update");
          record.combine({ a: most, b: most }, { alpha: 1, beta: 1 }, { y: rows(turned, 0, 2) });
          record.combine({ a: last, b: last }, { alpha: 1, beta: 1 }, { y: rows(turned, 2, 1) });
          return turned;
        }),
        hinge,
      );
      expect(layers[1].activities.because).toEqual(["reads conv2.weight[0:1]", "reads conv2.weight[1:3]"]);
      expect(none).toEqual([]);
    });

    test("an input that starts between two units: another image's, or none's", async () => {
      const { layers, disagreements: none } = await audit(
        conv2Learns((record, { input }, errors) => {
          const view = rows(input, 1, 2);
          const window = { of: input, offset: (view.window?.offset ?? 0) + 1 };
          return product(record, { ...view, name: "askew", window }, rows(errors, 1, 2), "one");
        }),
        hinge,
      );
      expect(layers[1].activities.verdict).toBe("fail");
      expect(none).toEqual([]);
    });
  });

  test("an error that is held against the sum of all units' errors", async () => {
    const {
      layers,
      found,
      disagreements: none,
    } = await audit(
      rf((of) => ({ record }, trace, signal) => {
        const { shape } = signal.error;
        const { y: b } = record.reduce({ x: signal.error }, { kind: "sum" }, { y: "total" });
        const { y } = record.addBias({ x: reshape(signal.error, [sizeOf(shape), 1]), b }, {}, { y: "against" });
        return recordErrorPath(record, trace, { ...signal, error: reshape(y, shape) }, (synapses) =>
          feedback(of, synapses),
        );
      }),
    );
    for (const { arithmetic } of layers)
      expect(arithmetic).toMatchObject({ verdict: "fail", because: ["statistic of many units (reduce → total)"] });
    expect(layers.map(({ activities }) => activities.word)).toEqual(["pass", "pass", "pass", "fail"]);
    expect(found.map(({ outside }) => outside)).toEqual(["identical", "identical", "identical", "changed"]);
    expect(none).toEqual([]);
  });

  test("errors with noise of the units' own are local", async () => {
    const { layers, disagreements: none } = await audit(
      rf((of) => ({ record, optimiser }, trace, signal) => {
        if (!optimiser) throw new Error("a step that learns was expected");
        const noise = { sigma: 0.1, relative: false, seed: 1, stream: 1 };
        const error = record.gaussianNoise({ x: signal.error, counter: optimiser.step }, noise, { y: "noisyError" }).y;
        return recordErrorPath(record, trace, { ...signal, error }, (synapses) => feedback(of, synapses));
      }),
    );
    for (const condition of conditions) expect(summarise(condition, layers).verdict).toBe("pass");
    expect(none).toEqual([]);
  });

  test("feedback that chases the weights from step to step", async () => {
    const chasing = rf((of) => ({ record }, trace, signal) => {
      const changes = recordErrorPath(record, trace, signal, (synapses) => feedback(of, synapses));
      const chases = [...of].map(([w, b]) => ({
        weight: b,
        gradient: record.combine({ a: b, b: w }, { alpha: 1, beta: -1 }, { y: `${b.name}.behind` }).y,
        learningRate: 1,
      }));
      return [...changes, ...chases];
    });
    const { layers, found, disagreements: none } = await audit(chasing);
    expect(layers.map(({ layer }) => layer)).toEqual([
      "conv1",
      "conv2",
      "conv2.feedback",
      "conv3",
      "conv3.feedback",
      "head",
      "head.feedback",
    ]);
    const own = layers.filter(({ layer }) => layer.endsWith("feedback"));
    expect(own.map(({ transport }) => transport.because)).toEqual([
      ["conv2.weight"],
      ["conv3.weight"],
      ["head.weight"],
    ]);
    expect(own.map(({ activities }) => activities.because)).toEqual([
      ["reads conv2.weight"],
      ["reads conv3.weight"],
      ["reads head.weight"],
    ]);
    expect(summarise("transport", layers)).toMatchObject({ verdict: "fail", word: "fail" });
    expect(own[0].sources).toContainEqual({ kind: "synapse", tensor: "conv2.feedback.weight" });
    const [, , { weights, inside }] = found;
    expect(weights).toBe("changed");
    expect(inside).toEqual([{ tensor: "conv2.feedback.weight", kind: "synapse", outcome: "changed" }]);
    expect(none).toEqual([]);
  });

  test("the same through something that stands between and carries nothing", async () => {
    const between: Update = {
      name: "RF",
      prepare: (learners) => {
        const { of, parameters } = createFeedback(learners);
        const more = [...of.values()].map(({ name, shape }) => persistent(`${name}.between`, shape, "state"));
        return {
          parameters: [...parameters, ...more.map((tensor, i) => ({ ...parameters[i], tensor, place: [1, i] }))],
          record: ({ record }, trace, signal) => {
            const chase = (weight: Tensor, after: Tensor) => ({
              weight,
              gradient: record.combine({ a: weight, b: after }, { alpha: 1, beta: -1 }, { y: `${weight.name}.behind` })
                .y,
              learningRate: 1,
            });
            return [
              ...recordErrorPath(record, trace, signal, (synapses) => feedback(of, synapses)),
              ...[...of].flatMap(([w, b], i) => [chase(more[i], w), chase(b, more[i])]),
            ];
          },
        };
      },
    };
    const { layers, disagreements: none } = await audit(between);
    const at = (name: string) => layers.find(({ layer }) => layer === name);
    expect(at("conv2.feedback")?.activities.because).toEqual(["reads conv2.feedback.weight.between"]);
    expect(at("conv2.feedback.weight.between")?.transport.because).toEqual(["conv2.weight"]);
    expect(summarise("transport", layers).verdict).toBe("fail");
    expect(none).toEqual([]);
  });

  test("one layer alone that takes its own weights instead of feedback", async () => {
    const { layers, found } = await audit(
      carried((_, of, synapses) =>
        synapses.weight.name === "conv3.weight" ? synapses.weight : feedback(of, synapses),
      ),
    );
    expect(layers.map(({ transport }) => transport.word)).toEqual(["fail", "fail", "pass", "pass"]);
    expect(layers[0].transport.because).toEqual(["conv3.weight"]);
    expect(found.map(({ weights }) => weights)).toEqual(["changed", "changed", "identical", "identical"]);
  });

  test.each([
    ["the activity of the layer above", "conv3.hardtanh[2:4]", ([, , { output }]: readonly BlockTrace[]) => output],
    ["the picture itself", "views", ([{ input }]: readonly BlockTrace[]) => input],
  ])("a layer that secretly reads %s", async (_, name, secretOf) => {
    const {
      layers,
      found,
      disagreements: none,
    } = await audit(
      rf((of) => ({ record }, { blocks, head }, { error: top, firstRow }) => {
        if (!head) throw new Error("a head was expected");
        const changes = recordHeadChange(record, head, top, firstRow);
        let error = recordHeadError(record, head, top, feedback(of, head.synapses));
        for (const trace of blocks.toReversed()) {
          if (trace === blocks[1]) {
            const secret = learningRows(secretOf(blocks), firstRow);
            error = record.combine({ a: error, b: secret }, { alpha: 1, beta: 1e-3 }, { y: "innocent" }).y;
          }
          const routed = recordRouting(record, trace, error, firstRow);
          changes.push(...recordBlockChange(record, trace, routed, firstRow));
          if (trace !== blocks[0]) error = recordBlockError(record, trace, routed, feedback(of, trace.synapses));
        }
        return changes;
      }),
    );
    expect(layers.map(({ activities }) => activities.verdict)).toEqual(["pass", "fail", "pass", "pass"]);
    expect(layers[1].activities.because).toEqual([`reads ${name}`]);
    expect(found.map(({ outside }) => outside)).toEqual(["identical", "changed", "identical", "identical"]);
    expect(none).toEqual([]);
  });

  test("a layer whose change takes in the change of another", async () => {
    const { layers, found } = await audit(
      rf((of) => ({ record }, trace, signal) => {
        const changes = recordErrorPath(record, trace, signal, (synapses) => feedback(of, synapses));
        const gradient = (name: string): Tensor => {
          const change = changes.find(({ weight }) => weight.name === name);
          if (!change) throw new Error(`no change of ${name}`);
          return change.gradient;
        };
        const both = record.combine(
          { a: gradient("conv1.weight"), b: gradient("conv3.weight") },
          { alpha: 1, beta: 1 },
          { y: "conv1.weight.both" },
        ).y;
        return changes.map((change) =>
          change.weight.name === "conv1.weight" ? { ...change, gradient: both } : change,
        );
      }),
    );
    expect(layers[0].activities.because).toEqual(
      expect.arrayContaining(["reads conv2.hardtanh[2:4]", "reads conv3.hardtanh[2:4]"]),
    );
    expect(found.map(({ outside }) => outside)).toEqual(["changed", "identical", "identical", "identical"]);
  });

  test("a bias that takes in the change of its neighbour: the intervention finds it", async () => {
    const biased: Encoder = { ...even, blocks: even.blocks.map((block) => ({ ...block, bias: true })) };
    const { found, disagreements: doubts } = await audit(
      rf((of) => ({ record }, trace, signal) => {
        const changes = recordErrorPath(record, trace, signal, (synapses) => feedback(of, synapses));
        return changes.map((change) => {
          if (change.weight.name !== "conv2.bias") return change;
          const wide = record.tensor("wide", [4], "update");
          const [own, last] = [rows(wide, 0, 3), rows(wide, 3, 1)];
          const first = rows(change.gradient, 0, 1);
          record.combine({ a: change.gradient, b: change.gradient }, { alpha: 0.5, beta: 0.5 }, { y: own });
          record.combine({ a: first, b: first }, { alpha: 0.5, beta: 0.5 }, { y: last });
          const gradient = record.combine({ a: own, b: rows(wide, 1, 3) }, { alpha: 1, beta: 1 }, { y: "together" }).y;
          return { ...change, gradient };
        });
      }),
      { ...hinge, gradientBlock: true },
      biased,
    );
    expect(found.map(({ layer, bias, outside }) => [layer, bias, outside])).toEqual([
      ["conv1", true, "identical"],
      ["conv1", false, "identical"],
      ["conv2", true, "changed"],
      ["conv2", false, "identical"],
      ["conv3", true, "identical"],
      ["conv3", false, "identical"],
      ["head", false, "identical"],
    ]);
    expect(doubts).toEqual(["noise outside the locality at the biases: changed, expected identical"]);
  });

  test("an intervention that does not bear a verdict out is said", async () => {
    const { layers, found } = await audit(carried((_, __, { weight }) => weight));
    const flattered: LayerAudit = { ...layers[0], transport: { verdict: "pass", word: "pass", because: [] } };
    expect(disagreements(flattered, found[0])).toEqual(["noise in forward weights: changed, expected identical"]);
    expect(disagreements(layers[0], { ...found[0], outside: "changed" })).toHaveLength(1);
    expect(disagreements(layers[0], { ...found[0], silent: true })).toHaveLength(1);
    // A bias may know less than its layer's weights, but not more.
    const bias = { ...found[0], bias: true, weights: "identical" } as const;
    expect(disagreements(layers[0], bias)).toEqual([]);
    expect(disagreements(layers[0], { ...bias, outside: "changed" })).toEqual([
      "noise outside the locality at the biases: changed, expected identical",
    ]);
  });
});

describe("data flow", () => {
  const x = persistent("x", [4, 2], "input");
  const w = persistent("w", [2, 2], "weight");

  test("rows have their own writers, and a value changed in place depends on what it was", () => {
    const record = recordProgram("rows");
    const both = record.tensor("both", [4, 2], "activity");
    record.linear({ x: rows(x, 0, 2), w }, {}, { y: rows(both, 0, 2) });
    record.linear({ x: rows(x, 2, 2), w }, {}, { y: rows(both, 2, 2) });
    const { dw } = record.linearWeightGradient({ x, dy: both }, {}, { dw: "dw" });
    const [m, v] = ["m", "v"].map((name) => persistent(name, [2, 2], "state"));
    const step = persistent("step", [1], "input", "i32");
    const rate = persistent("rate", [1], "input");
    const options = { learningRate: 1, beta1: 0, beta2: 0, epsilon: 1, decay: 0 };
    record.adam({ gradient: dw, step, rate, weight: w, m, v }, options, {});
    record.adam({ gradient: dw, step, rate, weight: w, m, v }, options, {});
    const { y } = record.linear({ x, w }, {}, { y: "after" });
    const { writersOf, cone } = dataflow(record.finish([y]));
    expect(writersOf(2, rows(both, 2, 2))).toEqual([1]);
    expect(writersOf(2, both)).toEqual([1, 0]);
    expect(writersOf(5, w)).toEqual([4, 3]);
    expect(writersOf(3, w)).toEqual([]);
    expect([...cone(6, y)].toSorted()).toEqual([0, 1, 2, 3, 4, 5]);
    expect([...cone(6, y, new Map([[both, new Set([0])]]))].toSorted()).toEqual([1, 2, 3, 4, 5]);
    expect([...cone(6, y, new Map([[both, "all"]]))].toSorted()).toEqual([2, 3, 4, 5]);
  });

  test("the operations of a cone, given what is held, compute what the whole program does", async () => {
    const config = configured({ update: "DTP", batch: 2, loss: hinge });
    const rule = configuredRule(config, createModel(networks.tiny), { ...networks.tiny, count: 2, classes: 10 });
    const recorded = recordRule(rule);
    const [{ program }] = recorded.lessons;
    const reader = program.operations.findIndex(
      (operation) => operation.kind === "adam" && operation.updates.weight.name === "conv1.weight",
    );
    const optimiser = program.operations[reader];
    if (optimiser.kind !== "adam") throw new Error("conv1.weight was expected to learn");
    const tensor = optimiser.inputs.gradient;
    const output = program.operations.flatMap((operation) =>
      operation.kind === "activation" && operation.outputs.y.name === "conv1.hardtanh" ? [operation.outputs.y] : [],
    )[0];
    const start = startValues(config, rule, recorded);
    const whole = await referenceBackend.prepare([{ ...program, results: [tensor, output] }]);
    for (const [place, values] of start) whole.write(place, values);
    await whole.run({ ...program, results: [tensor, output] });
    const part = coneProgram(dataflow(program), [{ reader, tensor }], new Map([[output, "all"]]));
    expect(part.program.operations.length).toBeLessThan(program.operations.length);
    expect(part.program.operations.flatMap(({ outputs }) => Object.values(outputs))).not.toContain(output);
    const engine = await referenceBackend.prepare([part.program]);
    for (const place of part.program.operations.flatMap(({ inputs, updates }) => [
      ...Object.values<Tensor>(inputs),
      ...Object.values<Tensor>(updates),
    ])) {
      const values = start.get(place);
      if (values) engine.write(place, values);
    }
    engine.write(part.held.get(output) as Tensor, await whole.read(output));
    await engine.run(part.program);
    expect(await engine.read(part.program.results[0])).toEqual(await whole.read(tensor));
  });
});

test("the picture has a row for every layer and a cell for every verdict", async () => {
  const report = await auditConfigured(configured({ learning: "RLL", update: "BP", loss: blocked }), referenceBackend);
  const svg = await auditFigure(report);
  for (const layer of ["conv1", "head1", "conv3", "head3", "all"]) expect(svg).toContain(`>${layer}<`);
  expect(svg.match(/<rect [^>]*fill="#/g) ?? []).toHaveLength(4 * 7);
  expect(svg.match(/>head only</g)).toHaveLength(4);
  // The caption's lines break where the picture ends.
  expect(svg.replaceAll(/<\/text><text[^>]*>/g, " ")).toContain("head1, head2, head3 must remember 6 views (1.50 KiB)");
  expect(svg).not.toContain("not confirmed");
  const [first] = report.lessons[0].layers;
  const doubted = { ...report, lessons: [{ layers: [{ ...first, disagreements: ["noise in views: identical"] }] }] };
  expect(await auditFigure(doubted)).toContain("not confirmed by intervention: conv1");
});
