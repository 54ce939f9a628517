// The conformance kit on Saccade's own rules, which pass, and on rules with a fault in them, each of which one check finds.

import { describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { type Conformance, checkPlugin } from "../../src/conformance/check-plugin.ts";
import { crossEntropy } from "../../src/losses/classification.ts";
import type { Change } from "../../src/losses/loss.ts";
import { recordErrorPath } from "../../src/rules/error-path.ts";
import { carriedBy, createFeedback, randomFeedback } from "../../src/rules/feedback.ts";
import type { PreparedUpdate, Update } from "../../src/rules/update.ts";
import type { AugmentationPlugin, LossPlugin, Plugin, UpdatePlugin } from "../../src/training/plugin.ts";
import { losses, updates } from "../../src/training/registry.ts";

const backends = { reference: referenceBackend, fast: (threads: number) => wasmBackend({ threads }) };

const checked = (plugin: Plugin, ...only: string[]): Promise<Conformance> =>
  checkPlugin(plugin, backends, only.length > 0 ? { only } : {});

/** What failed, with why. */
const failures = ({ checks }: Conformance): string[] =>
  checks.filter(({ outcome }) => outcome === "failed").map(({ name, detail }) => `${name}: ${detail}`);

describe("Saccade's own", () => {
  test.each(updates.map((entry: UpdatePlugin) => ({ name: entry.name, entry })))(
    "$name is what it claims, in one step",
    async ({ entry }) => {
      const report = await checked(entry, "written down", "float64 and float32", "gradient", "identity", "cost");
      expect(failures(report)).toEqual([]);
      const of = (name: string) => report.checks.find((check) => check.name === name)?.outcome;
      expect(of("identity")).toBe(entry.identity ? "passed" : "left out");
      expect(of("gradient")).toBe(entry.name === "BP" ? "passed" : "left out");
    },
  );

  test.each(losses.map((entry) => ({ name: entry.name, entry: entry as Plugin })))(
    "$name has the gradient of its value",
    async ({ name, entry }) => {
      const report = await checked(entry, "written down", "float64 and float32", "gradient");
      expect(failures(report)).toEqual([]);
      const pairs = name === "clappPatches";
      expect(report.checks.filter(({ outcome }) => outcome === "left out")).toHaveLength(pairs ? 2 : 0);
    },
  );

  test("URF passes all of it", async () => {
    const report = await checked(updates.find(({ name }) => name === "URF") as UpdatePlugin);
    expect(report).toMatchObject({ kind: "update", name: "URF", passed: true });
    expect(report.checks.map(({ name, outcome }) => `${name}: ${outcome}`)).toEqual([
      "written down: passed",
      "float64 and float32: passed",
      "gradient: left out",
      "identity: passed",
      "repeatable: passed",
      "learns: passed",
      "audit: passed",
      "cost: passed",
    ]);
  });
});

/** RF with something else in it. */
const spoilt = (prepare: Update["prepare"], more: Partial<UpdatePlugin> = {}): UpdatePlugin => ({
  kind: "update",
  name: "Spoilt",
  create: () => ({ name: "Spoilt", prepare }),
  identity: { whenFeedbackIs: "weights", equals: "BP" },
  ...more,
});

/** RF whose changes are made into others. */
const withChanges = (change: (changes: Change[]) => Change[], more: Partial<UpdatePlugin> = {}): UpdatePlugin =>
  spoilt((learners) => {
    const prepared = randomFeedback.prepare(learners);
    return { ...prepared, record: (...step) => change(prepared.record(...step)) };
  }, more);

/** RF whose feedback another rule makes of it and of the weights. */
const carried = (
  carrier: (
    ...of: [...Parameters<PreparedUpdate["record"]>, ReturnType<typeof createFeedback>["of"]]
  ) => Parameters<typeof recordErrorPath>[3],
  more: Partial<UpdatePlugin> = {},
): UpdatePlugin =>
  spoilt((learners) => {
    const { of, parameters } = createFeedback(learners);
    return {
      parameters,
      record: (step, trace, signal) => recordErrorPath(step.record, trace, signal, carrier(step, trace, signal, of)),
    };
  }, more);

const all = { i: true, ii: true, iii: true, iv: true };

describe("a fault is found:", () => {
  test.each<[string, UpdatePlugin, string, string]>([
    [
      "feedback that is never read",
      carried(
        () =>
          ({ weight }) =>
            weight,
      ),
      "audit",
      "claims.conditions says that (iii) holds, the audit says fail: head.weight, conv3.weight, conv2.weight",
    ],
    [
      "feedback of another name",
      spoilt((learners) => {
        const { of, parameters } = createFeedback({
          ...learners,
          blocks: learners.blocks.map((block) => ({ ...block, name: `my${block.name}` })),
        });
        return {
          parameters,
          record: ({ record }, trace, signal) => recordErrorPath(record, trace, signal, carriedBy(of)),
        };
      }),
      "identity",
      "the identity sets the feedback of conv2 to conv2.weight, [3, 3, 4, 5], and there is none of that name and shape (feedback: myconv2.feedback.weight",
    ],
    [
      "an identity that holds with any feedback, which counts for nothing",
      carried((step, _trace, _signal, of) => (synapses) => {
        const b = carriedBy(of)(synapses);
        return step.record.combine({ a: synapses.weight, b }, { alpha: 1, beta: 0 }, { y: `${b.name} unread` }).y;
      }),
      "identity",
      "identity shows nothing: the changes are BP's with feedback of its own too",
    ],
    [
      "a gradient that is claimed and is none",
      withChanges((changes) => changes),
      "gradient",
      "the change of conv3.weight must be the loss's gradient: slope",
    ],
    [
      "feedback that is to follow the weights and stays",
      withChanges((changes) => changes, { identity: { whenFeedbackIs: "weights", equals: "BP", forSteps: 5 } }),
      "identity",
      "conv1.weight after 5 steps must be BP's, as the identity says, got one that is",
    ],
    [
      "chance that no seed decides",
      spoilt((learners) => {
        const prepared = randomFeedback.prepare(learners);
        return {
          ...prepared,
          parameters: prepared.parameters.map((one) => ({ ...one, place: [Math.floor(Math.random() * 1e9)] })),
        };
      }),
      "repeatable",
      "a second run under E2E must give the same bytes, got ",
    ],
    [
      "no learning at all",
      withChanges((changes) => changes.map((change) => ({ ...change, factor: 1e-9 }))),
      "learns",
      "got 100 % of what it was",
    ],
    [
      "numbers that are none",
      withChanges((changes) => changes.map((change) => ({ ...change, learningRate: 1e39 }))),
      "repeatable",
      "after 5 steps under E2E is NaN",
    ],
    [
      "a failure",
      spoilt(() => {
        throw new Error("not written yet");
      }),
      "written down",
      "update Spoilt: prepare failed: not written yet",
    ],
  ])("%s", async (_, plugin, check, sentence) => {
    const claims = { gradient: check === "gradient", conditions: all };
    const report = await checked({ ...plugin, claims }, "written down", check);
    expect(report.passed).toBe(false);
    expect(failures(report)).toHaveLength(1);
    expect(failures(report)[0]).toMatch(check);
    expect(failures(report)[0]).toContain(sentence);
  });

  test("a rule that does not go with any learning", async () => {
    const report = await checked(spoilt(randomFeedback.prepare, { refuses: () => "update Spoilt: never; use BP" }));
    expect(failures(report)).toEqual(["written down: check of Spoilt: update Spoilt: never; use BP"]);
  });
});

test("a loss that reads labels and says that it reads none is refused, and passes once it says so", async () => {
  const reader = (labelled: boolean): LossPlugin => ({
    kind: "loss",
    name: "reader",
    create: () => ({ ...crossEntropy, labelled }),
    claims: { gradient: true },
  });
  const wanted = "loss reader: labelled must be true for a loss that reads labels, got false";
  expect(failures(await checked(reader(false), "written down"))).toEqual([`written down: ${wanted}`]);
  expect(failures(await checked(reader(true), "written down", "float64 and float32", "gradient"))).toEqual([]);
});

test("an augmentation is drawn, and trained with", async () => {
  const plugin: AugmentationPlugin = { kind: "augmentation", name: "plain", create: () => ({ draw: () => {} }) };
  const report = await checked(plugin, "written down", "draws");
  expect(failures(report)).toEqual([]);
  expect(report.checks[1].detail).toBe("finite views; both views of an image are the same picture");
});
