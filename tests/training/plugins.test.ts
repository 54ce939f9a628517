// Plugins as values: what a configuration makes of them, what it refuses, and that what they make is what is trained.

import { describe, expect, test } from "vitest";
import { z } from "zod";
import { wasmBackend } from "../../src/backends/wasm/backend.ts";
import { drawViews } from "../../src/data/augmentation.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { networks } from "../../src/encoders/networks.ts";
import { contrastiveHinge } from "../../src/losses/contrastive-hinge.ts";
import { view, viewParameters } from "../../src/program/views.ts";
import { configText, parseYaml } from "../../src/record/config-text.ts";
import { randomFeedback } from "../../src/rules/feedback.ts";
import type { Update } from "../../src/rules/update.ts";
import { configKey } from "../../src/runs/resume.ts";
import { fingerprint } from "../../src/runs/run-folder.ts";
import type { Config } from "../../src/training/config.ts";
import { configuredModel, recordConfigured } from "../../src/training/configured-rule.ts";
import { parseConfig } from "../../src/training/parse-config.ts";
import {
  type AugmentationPlugin,
  asPlugin,
  type LossPlugin,
  ownKey,
  type Plugin,
  type UpdatePlugin,
} from "../../src/training/plugin.ts";
import { madeAugmentation, madeUpdate } from "../../src/training/registry.ts";
import { createTrainer } from "../../src/training/trainer.ts";

const images = proceduralObjects({ split: "train", count: 8, seed: 1, size: 16 });
const backend = wasmBackend({ threads: 1 });

const least = { name: "own", data: { dataset: "procedural-objects" }, encoder: "tiny", batch: 4, epochs: 2 };

const gain = z.object({ gain: z.number().gt(0).default(1) });
const source = { file: "mine.ts", sha256: "0123456789abcdef".repeat(4) };

const mine: UpdatePlugin = {
  kind: "update",
  name: "MyRule",
  schema: gain,
  create: () => randomFeedback,
  refuses: ({ learning }) => (learning === "E2E" ? undefined : `learning ${learning} with update MyRule; use E2E`),
  source,
};

const margins = z.strictObject({ wide: z.number().default(3) });
const hinge: LossPlugin = {
  kind: "loss",
  name: "myHinge",
  schema: margins,
  create: (options) => {
    const { wide } = options as z.infer<typeof margins>;
    return contrastiveHinge({ m1: 1, m2: wide, negatives: { kind: "all" }, gradientBlock: false });
  },
};

const mirrors: AugmentationPlugin = {
  kind: "augmentation",
  name: "mirrors",
  create: () => ({
    draw: ({ view: number, random }, row) => {
      row[view.grey] = number;
      row[view.brightness] = random.uniform();
    },
  }),
};

const parse = (more: object, plugins: readonly Plugin[] = [mine, hinge, mirrors]): Config =>
  parseConfig({ ...least, ...more }, "own.yaml", plugins);

/** The rule as it is written down; nothing runs. */
const record = (update: Partial<UpdatePlugin>) =>
  recordConfigured(
    parse({ update: "MyRule" }, [{ ...mine, schema: undefined, ...update } as UpdatePlugin]),
    configuredModel({ encoder: "tiny", augmentation: { kind: "none" } }),
    { ...networks.tiny, count: 8, classes: 10 },
  );

async function stateAfter(config: Config, own: { readonly update?: Update } = {}): Promise<Map<string, Float32Array>> {
  const trainer = await createTrainer({ config, dataset: images, backend, ...own });
  try {
    for (let step = 0; step < 2; step++) await trainer.step();
    return await trainer.state();
  } finally {
    await trainer.dispose();
  }
}

describe("a configuration", () => {
  test("names plugins like any other, and is complete: their defaults and their files stand in it", () => {
    const config = parse({
      update: "MyRule",
      loss: { kind: "myHinge", wide: 4 },
      augmentation: { kind: "mirrors" },
    });
    expect(config).toMatchObject({
      update: "MyRule",
      myRule: { gain: 1 },
      loss: { kind: "myHinge", wide: 4 },
      augmentation: { kind: "mirrors" },
      plugins: { MyRule: { kind: "update", ...source }, myHinge: { kind: "loss" }, mirrors: { kind: "augmentation" } },
    });
    const text = configText(config);
    expect(parseConfig(parseYaml("own.yaml", text), "own.yaml", [mine, hinge, mirrors])).toEqual(config);
    // Who only reads the run needs no file; who trains is told which.
    const read = parseConfig(parseYaml("own.yaml", text), "own.yaml");
    expect(configText(read)).toBe(text);
    expect(fingerprint(read)).toBe(fingerprint(config));
    expect(() => madeUpdate(read)).toThrow(
      "update MyRule is a plugin, which is executed only if the command line names it; pass --plugin mine.ts",
    );
  });

  test("without one is what it always was", () => {
    expect(JSON.stringify(parse({}))).toBe(JSON.stringify(parse({}, [])));
    expect(Object.getOwnPropertySymbols(parse({}))).toEqual([]);
  });

  test("is another with another file, wherever the file lies", () => {
    const key = (of: Partial<typeof source>) =>
      configKey(parse({ update: "MyRule" }, [{ ...mine, source: { ...source, ...of } }]));
    expect(key({ file: "elsewhere.ts" })).toBe(key({}));
    expect(key({ sha256: "f".repeat(64) })).not.toBe(key({}));
  });

  test.each<[object, readonly Plugin[], string]>([
    [
      { update: "MyRul" },
      [mine],
      'update must be one of BP, RF, URF, DTP, DFA, SSF, KP, MyRule, got "MyRul"; did you mean "MyRule"?',
    ],
    [
      { update: "Theirs" },
      [],
      'update must be one of BP, RF, URF, DTP, DFA, SSF, KP, got "Theirs"; one of your own comes with --plugin FILE',
    ],
    [{ loss: { kind: "theirs" } }, [], "one of your own comes with --plugin FILE"],
    [{ augmentation: { kind: "theirs" } }, [], "one of your own comes with --plugin FILE"],
    [{ update: "MyRule", myRule: { gain: 0 } }, [mine], "myRule.gain must be above 0, got 0"],
    [
      { update: "MyRule", myRule: { gian: 2 } },
      [mine],
      'unknown key "myRule.gian", did you mean "gain"? (update MyRule knows: gain)',
    ],
    [{ loss: { kind: "myHinge", wise: 2 } }, [hinge], 'unknown key "loss.wise", did you mean "wide"?'],
    [
      { augmentation: { kind: "mirrors", wise: 2 } },
      [mirrors],
      'unknown key "augmentation.wise" (augmentation mirrors knows: none)',
    ],
    [{ myRule: { gain: 2 } }, [mine], "myRule is for update MyRule, got update BP; leave it out"],
    [{ update: "MyRule", learning: "GLL" }, [mine], "learning GLL with update MyRule; use E2E"],
    [
      { update: "MyRule", plugins: { MyRule: { kind: "update", sha256: "f".repeat(64) } } },
      [mine],
      "update MyRule must be the file with SHA-256 ffffffffffff…, got 0123456789ab… (mine.ts); restore the file, or start a new run",
    ],
    [{}, [{ ...mine, name: "RF" }], "update RF (mine.ts): its name is taken; give it one that is not BP, RF"],
    [{}, [mine, mine], "update MyRule (mine.ts): its name is taken"],
    [{}, [{ ...hinge, name: "scff" }], "loss scff: its name is taken"],
    [{}, [{ ...mirrors, name: "none" }], "augmentation none: its name is taken"],
    [{}, [{ ...mine, name: "Batch" }], 'its key batch is taken in configurations; give it another: key: "…"'],
  ])("%j is refused in a sentence", (more, plugins, sentence) => {
    expect(() => parse(more, plugins)).toThrow(sentence);
  });

  test.each([
    ["MyRule", "myRule"],
    ["WM", "wm"],
    ["DTPNew", "dtpNew"],
    ["mine", "mine"],
  ])("has the keys of %s under %s", (name, key) => {
    expect(ownKey({ name })).toBe(key);
    expect(ownKey({ name, key: "told" })).toBe("told");
  });
});

describe("what is trained", () => {
  test("is the plugin's rule, or the one that a program brings, to the byte", async () => {
    const config = parse({ update: "RF" });
    const wanted = await stateAfter(config);
    expect(await stateAfter(parse({ update: "MyRule" }))).toEqual(wanted);
    expect(await stateAfter(parse({ update: "BP" }), { update: randomFeedback })).toEqual(wanted);
    expect(await stateAfter(parse({ update: "BP" }))).not.toEqual(wanted);
  });

  test("by a network that a program brings has its shape", async () => {
    const encoder = { ...networks.tiny, name: "mine", blocks: networks.tiny.blocks.slice(0, 2) };
    const trainer = await createTrainer({ config: parse({ learning: "GLL" }), dataset: images, backend, encoder });
    expect(trainer.totalSteps).toBe(2 * 2 * 2);
    expect([...(await trainer.state()).keys()].filter((name) => name.startsWith("conv3"))).toEqual([]);
    await trainer.dispose();
  });

  test("sees the views that an augmentation draws, each from its own random numbers", () => {
    const augmentation = madeAugmentation(parse({ augmentation: { kind: "mirrors" } }));
    const sizes = { from: images, to: networks.tiny };
    const drawn = (epoch: number): Float32Array[] => {
      const all = drawViews(augmentation, sizes, { seed: 1, epoch, samples: Int32Array.of(3), views: 2 });
      return [all.subarray(0, viewParameters), all.subarray(viewParameters)];
    };
    const [anchor, partner] = drawn(0);
    expect([anchor[view.grey], partner[view.grey]]).toEqual([0, 1]);
    // The picture as it is, but for what was drawn.
    expect([...anchor.subarray(view.affine, view.affine + 6)]).toEqual([1, 0, 0, 0, 1, 0]);
    expect(new Set([...drawn(0), ...drawn(0), ...drawn(1)].map((row) => row[view.brightness])).size).toBe(4);
  });
});

describe("what is no plugin", () => {
  const whole = { kind: "update", name: "A", create() {} };
  test.each<[unknown, string]>([
    [undefined, 'mine.ts: its default export must be a plugin, got none; write export default { kind: "update"'],
    [() => {}, "mine.ts: its default export must be a plugin, got function"],
    [{ name: "A", create() {} }, "mine.ts: kind must be one of update, loss, augmentation, got nothing"],
    [{ kind: "rule" }, 'mine.ts: kind must be one of update, loss, augmentation, got "rule"'],
    [{ kind: "update", create() {} }, "mine.ts: name must be a word of letters, digits and _"],
    [{ kind: "update", name: "my rule", create() {} }, 'which the configuration uses, got "my rule"'],
    [{ kind: "update", name: "A" }, "mine.ts: create must be a function from the options, got nothing"],
    [{ kind: "update", name: "A", create() {}, schema: {} }, "mine.ts: schema must be one of zod's, with a safeParse"],
    [{ kind: "update", name: "A", create() {}, refuses: "no" }, "mine.ts: refuses must be a function, or left out"],
    [{ ...whole, claim: {} }, 'mine.ts: unknown key "claim", did you mean "claims"? (known: kind, name, '],
    [{ ...whole, kind: "loss", identity: {} }, 'mine.ts: unknown key "identity" (known: kind, name, '],
    [{ ...whole, learningFeedback: "yes" }, 'mine.ts: learningFeedback must be true or false, got "yes"'],
    [{ ...whole, identity: "BP" }, 'mine.ts: identity must be a group of whenFeedbackIs, equals, forSteps, got "BP"'],
    [
      { ...whole, identity: { whenFeedbackIs: "foo", equals: "BP" } },
      'whenFeedbackIs must be weights or head, got "foo"',
    ],
    [{ ...whole, identity: { whenFeedbackIs: "head", equals: "DFA" } }, 'identity.equals must be BP, got "DFA"'],
    [
      { ...whole, identity: { whenFeedbackIs: "head", equals: "BP", forStep: 5 } },
      'unknown key "identity.forStep", did you mean "forSteps"?',
    ],
    [
      { ...whole, identity: { whenFeedbackIs: "head", equals: "BP", forSteps: 0.5 } },
      "identity.forSteps must be a whole number of steps, or left out, got number",
    ],
    [{ ...whole, claims: { condition: {} } }, 'unknown key "claims.condition", did you mean "conditions"?'],
    [{ ...whole, claims: { conditions: { v: true } } }, 'unknown key "claims.conditions.v"'],
    [{ ...whole, claims: { conditions: { iii: "no" } } }, 'claims.conditions.iii must be true or false, got "no"'],
    [{ ...whole, kind: "loss", claims: { conditions: {} } }, 'unknown key "claims.conditions" (known: gradient)'],
  ])("%j is refused", (value, sentence) => {
    expect(() => asPlugin(value, "mine.ts")).toThrow(sentence);
  });

  /** RF with something changed in what it prepares. */
  const spoilt = (change: (prepared: ReturnType<Update["prepare"]>) => object): Partial<UpdatePlugin> => ({
    create: () => ({
      ...randomFeedback,
      prepare: (learners) => {
        const prepared = randomFeedback.prepare(learners);
        return { ...prepared, ...change(prepared) } as typeof prepared;
      },
    }),
  });

  test.each<[string, Partial<UpdatePlugin>, string]>([
    [
      "makes nothing",
      { create: () => undefined as never },
      "what it makes must be an Update, with name, prepare, got nothing",
    ],
    [
      "has no prepare",
      { create: () => ({ name: "A" }) as never },
      "prepare of what it makes must be a function, as an Update has it",
    ],
    [
      "fails when it is made",
      {
        create: () => {
          throw new TypeError("no such thing");
        },
      },
      "update MyRule (mine.ts): create failed: no such thing (plugins.test.ts:",
    ],
    ["has no record", spoilt(() => ({ record: undefined })), "prepare: record of what it makes must be a function"],
    [
      "fails when it records",
      spoilt(() => ({
        record: () => {
          throw new TypeError("not yet");
        },
      })),
      "update MyRule (mine.ts): record failed: not yet",
    ],
    [
      "forgets a layer",
      spoilt(({ record }) => ({
        record: (...step: Parameters<typeof record>) =>
          record(...step).filter(({ weight }) => weight.name !== "conv2.weight"),
      })),
      "what record returns must be a change for every synapse tensor, got none for conv2.weight",
    ],
    [
      "gives a change of another shape",
      spoilt(({ record }) => ({
        record: (...step: Parameters<typeof record>) => {
          const changes = record(...step);
          return changes.map((change) => ({ ...change, gradient: changes[0].gradient }));
        },
      })),
      "the change of conv3.weight must be of its shape [3, 3, 32, 64], got [1024, 64]",
    ],
    [
      "names an operation wrongly",
      spoilt(({ record }) => ({
        record: (step: Parameters<typeof record>[0], trace: Parameters<typeof record>[1], signal: never) => {
          step.record.linearInputGradient({ dy: trace.blocks[0].output, w: trace.blocks[0].output }, {}, { dx: "x" });
          return record(step, trace, signal);
        },
      })),
      "update MyRule (mine.ts): record failed: linearInputGradient: ",
    ],
  ])("an update that %s is refused with its name", (_, update, sentence) => {
    expect(() => record(update)).toThrow(sentence);
  });

  test("an augmentation that draws what is no number", () => {
    const bad: AugmentationPlugin = {
      ...mirrors,
      create: () => ({
        draw: (_, row) => {
          row[3] = Number.NaN;
        },
      }),
    };
    const made = madeAugmentation(parse({ augmentation: { kind: "mirrors" } }, [bad]));
    const row = new Float32Array(20);
    expect(() => "draw" in made && made.draw(undefined as never, row)).toThrow(
      "augmentation mirrors: row[3] of draw must be a finite number, got NaN",
    );
  });
});
