// Does to a stranger's rule, loss or augmentation what Saccade's tests do to its own, and says in one line each what came out.

import type { Backend } from "../backends/backend.ts";
import { proceduralObjects } from "../data/procedural-objects.ts";
import { synapsesOf } from "../encoders/model.ts";
import { networkOf } from "../encoders/networks.ts";
import { probe } from "../evaluation/probe.ts";
import { conditions } from "../program/audit.ts";
import { SaccadeError } from "../program/errors.ts";
import { explain, formatBytes, formatCount } from "../program/explain.ts";
import { auditConfigured } from "../training/audit-rule.ts";
import type { Config } from "../training/config.ts";
import { configuredModel, recordConfigured, smallestPicture } from "../training/configured-rule.ts";
import { changedConfig, parseConfig } from "../training/parse-config.ts";
import { asPlugin, numerals, type Plugin, type PluginSource, whose } from "../training/plugin.ts";
import { isOwn, learningNames, madeLoss } from "../training/registry.ts";
import { createTrainer, type Trainer } from "../training/trainer.ts";
import { checkClaimedGradient, checkIdentity, checkReference, type Said, type Subject } from "./check-step.ts";

/** What one check came to. */
export interface Check {
  readonly name: string;
  /** `left out`: it does not apply, and the detail says why. */
  readonly outcome: "passed" | "failed" | "left out";
  readonly detail: string;
  readonly seconds: number;
}

/** What all checks of a plugin came to. */
export interface Conformance {
  readonly kind: Plugin["kind"];
  readonly name: string;
  readonly source: PluginSource | undefined;
  readonly passed: boolean;
  readonly checks: readonly Check[];
}

/** Who computes: the float64 reference, and the fast engine with so many threads. */
export interface CheckBackends {
  readonly reference: Backend;
  /** The wasm backend with so many threads. */
  readonly fast: (threads: number) => Backend;
}

/** How a plugin is checked. */
export interface CheckOptions {
  /** What is set otherwise in the small configuration that everything runs under: `{ myRule: { gain: 2 } }`. */
  readonly set?: object;
  /** Names of the checks that are run; default all. */
  readonly only?: readonly string[];
  /** Told of every check when it is done. */
  readonly onCheck?: (check: Check) => void;
}

/** Runs every check that a plugin's kind has; about 20 seconds on two cores. */
export async function checkPlugin(
  plugin: Plugin,
  { reference, fast }: CheckBackends,
  { set = {}, only, onCheck }: CheckOptions = {},
): Promise<Conformance> {
  const checks: Check[] = [];
  const check = async (name: string, run: () => Promise<Said> | Said): Promise<boolean> => {
    if (only && !only.includes(name)) return true;
    const started = performance.now();
    const end = (outcome: Check["outcome"], detail: string): boolean => {
      const done = { name, outcome, detail, seconds: (performance.now() - started) / 1000 };
      checks.push(done);
      onCheck?.(done);
      return outcome !== "failed";
    };
    try {
      const said = await run();
      return typeof said === "string" ? end("passed", said) : end("left out", said.leftOut);
    } catch (error) {
      const { message, stack } = error as Error;
      return end("failed", error instanceof SaccadeError ? message : `${message}\n${stack}`);
    }
  };
  const [one, two] = [fast(1), fast(2)];
  const configured = (change: object = {}): Config => configFor(plugin, { ...plugin.check, ...set, ...change });
  const sound = await check("written down", () => {
    if (!isOwn(plugin)) asPlugin(plugin, whose(plugin));
    return writtenDown(configured);
  });
  if (sound) {
    const config = configured({ learning: learningsOf(configured)[0] });
    if (plugin.kind === "augmentation") {
      await check("draws", () => draws(config, reference));
    } else {
      const subject: Subject = { plugin, config, reference, fast: one };
      await check("float64 and float32", () => checkReference(subject));
      await check("gradient", () => checkClaimedGradient(subject));
      if (plugin.kind === "update") await check("identity", () => checkIdentity(subject));
    }
    await check("repeatable", () => repeatable(configured, one, two));
    await check("learns", () => learns(configured, two));
    if (plugin.kind !== "augmentation") {
      await check("audit", () => audits(plugin, config, one));
      await check("cost", () => costs(plugin, configured));
    }
  }
  const { kind, name, source } = plugin;
  return { kind, name, source, passed: checks.every(({ outcome }) => outcome !== "failed"), checks };
}

/** The small configuration that everything runs under, with the plugin in its place. */
function configFor(plugin: Plugin, change: object): Config {
  const { kind, name } = plugin;
  const named = kind === "update" ? { update: name } : { [kind]: { kind: name } };
  const loss = { kind: "contrastiveHinge", gradientBlock: true };
  const raw = { name: "check", seed: 1, data, encoder: "tiny", augmentation, loss, batch: 8, epochs: 3, xrayEvery: 0 };
  return parseConfig(
    { ...raw, optimiser: pace, ...named, ...change },
    `check of ${name}`,
    isOwn(plugin) ? [] : [plugin],
  );
}

const data = { dataset: "procedural-objects", size: 16 };
const augmentation = { kind: "affine", perturb: 0.1, share: 1, flip: 0, saturation: 0.2, hue: 0.02 };
const pace = { kind: "adam", learningRate: 3e-4 };

type Configured = (change?: object) => Config;

/** Kinds of learning that the plugin goes with. */
function learningsOf(configured: Configured): string[] {
  return learningNames.filter((learning) => {
    try {
      configured({ learning });
      return true;
    } catch (error) {
      if (!(error instanceof SaccadeError)) throw error;
      return false;
    }
  });
}

function writtenDown(configured: Configured): string {
  const learnings = learningsOf(configured);
  // Where all are refused, the reason is the first one's.
  if (learnings.length === 0) configured({ learning: "E2E" });
  for (const learning of learnings) recordOf(configured({ learning }));
  return `under ${learnings.join(", ")}; every synapse has its change`;
}

const recordOf = (config: Config) =>
  recordConfigured(config, configuredModel(config), { ...smallestPicture(config), count: config.batch, classes: 10 });

async function draws(config: Config, reference: Backend): Promise<string> {
  const images = proceduralObjects({ split: "train", count: 16, seed: 1, size: 16 });
  const trainer = await createTrainer({ config, dataset: images, backend: reference });
  try {
    await trainer.step();
    const views = await trainer.views();
    requireFinite("a pixel of the views", views);
    const half = views.length / 2;
    const apart = views.subarray(0, half).some((value, i) => value !== views[half + i]);
    return `finite views${apart ? "" : "; both views of an image are the same picture"}`;
  } finally {
    await trainer.dispose();
  }
}

function requireFinite(what: string, numbers: ArrayLike<number>): void {
  for (let i = 0; i < numbers.length; i++)
    if (!Number.isFinite(numbers[i])) throw new SaccadeError(`${what} is ${numbers[i]}`);
}

const images = proceduralObjects({ split: "train", count: 17, seed: 1, size: 16 });

/** The same bytes again, with one thread and two, and from a saved state in a new trainer. */
async function repeatable(configured: Configured, one: Backend, two: Backend): Promise<string> {
  const [stop, end] = [3, 5];
  const tried = learningsOf(configured).filter((learning) => learning !== "GLL");
  for (const learning of tried) {
    const config = configured({ learning });
    const opened: Trainer[] = [];
    const open = async (backend: Backend): Promise<Trainer> => {
      const trainer = await createTrainer({ config, dataset: images, backend });
      opened.push(trainer);
      return trainer;
    };
    try {
      const first = await open(two);
      const stopped = await advance(first, stop);
      const wanted = await advance(first, end);
      for (const [name, numbers] of wanted) requireFinite(`${name} after ${end} steps under ${learning}`, numbers);
      requireSame(`a second run under ${learning}`, await advance(await open(two), end), wanted);
      requireSame(`one thread under ${learning}`, await advance(await open(one), end), wanted);
      const resumed = await open(one);
      await resumed.restore(stopped, { step: stop, epoch: Math.floor(stop / 2), batch: stop % 2 });
      requireSame(
        `a run under ${learning} that goes on from its state after ${stop} steps`,
        await advance(resumed, end),
        wanted,
      );
    } finally {
      for (const trainer of opened) await trainer.dispose();
    }
  }
  return `the same bytes again, with 1 and 2 threads, and resumed after ${stop} of ${end} steps (${tried.join(", ")})`;
}

async function advance(trainer: Trainer, to: number): Promise<Map<string, Float32Array>> {
  while (trainer.position().step < to) await trainer.step();
  return trainer.state();
}

function requireSame(
  what: string,
  got: ReadonlyMap<string, Float32Array>,
  wanted: ReadonlyMap<string, Float32Array>,
): void {
  for (const [name, numbers] of wanted) {
    const other = got.get(name);
    const at = numbers.findIndex((value, i) => !Object.is(value, other?.[i]));
    if (at >= 0)
      throw new SaccadeError(
        `${what} must give the same bytes, got ${name}[${at}] ${other?.[at]} instead of ${numbers[at]}; all state of a rule must be in its parameters, and all random numbers must be keyed (randomStream, gaussianNoise)`,
      );
  }
}

/** A loss that falls by less than this share has not been learnt from. */
const least = 0.05;

/**
 * Whether the loss falls on fixed batches, and whether kNN on the representation still does better than guessing. So few steps do not improve
 * a representation, and may make it somewhat worse than the random encoder's, as with some of Saccade's own rules. This finds a rule whose
 * loss rises, stays, or lets the representation collapse. A rule of which only the top layer learns passes: identities are for that.
 */
async function learns(configured: Configured, backend: Backend): Promise<string> {
  const [learning] = learningsOf(configured);
  const dataset = proceduralObjects({ split: "train", count: 64, seed: 1, size: 16 });
  const config = configured({ learning, batch: 16, epochs: 8 });
  const trainer = await createTrainer({ config, dataset, backend });
  try {
    const { stepsPerEpoch } = trainer;
    const seen = new Map<number | undefined, { readonly step: number; readonly loss: number }[]>();
    while (trainer.position().step < trainer.totalSteps) {
      const { loss, layer, position } = await trainer.step();
      requireFinite(`the loss of step ${position.step}`, [loss]);
      const held = seen.get(layer) ?? [];
      if (held.length < 2) seen.set(layer, [...held, { step: position.step - 1, loss }]);
    }
    const state = await trainer.state();
    const ratios: number[] = [];
    for (const [layer, held] of seen) {
      let [before, after] = [0, 0];
      for (const { step, loss } of held) {
        await trainer.restore(state, { step, epoch: Math.floor(step / stepsPerEpoch), batch: step % stepsPerEpoch });
        before += loss;
        after += (await trainer.step()).loss;
      }
      const ratio = after / before;
      ratios.push(ratio);
      if (!(ratio < 1 - least))
        throw new SaccadeError(
          `the loss${layer === undefined ? "" : ` of layer ${layer}`} on the first two batches must fall by ${100 * least} % in ${trainer.totalSteps} steps, got ${percent(ratio)} of what it was; if the default learning rate does not suit this rule, set optimiser.learningRate=…`,
        );
    }
    const names = new Set(synapsesOf(trainer.model).map(({ name }) => name));
    const encoder = new Map([...state].filter(([name]) => names.has(name)));
    const [trained, random] = await answered(config, encoder, backend);
    const read = `kNN answers ${percent(trained)}, from the random encoder ${percent(random)}`;
    if (trained < chance + Math.sqrt((chance * (1 - chance)) / tests))
      throw new SaccadeError(
        `${read} of ${tests} pictures of 10 classes: no better than guessing, so the representation has collapsed`,
      );
    return `loss down to ${percent(Math.max(...ratios))} in ${trainer.totalSteps} steps; ${read}`;
  } finally {
    await trainer.dispose();
  }
}

/** Pictures that kNN is asked about, and as many that it knows. */
const tests = 400;
const chance = 0.1;

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

async function answered(
  config: Config,
  trained: ReadonlyMap<string, Float32Array>,
  backend: Backend,
): Promise<[number, number]> {
  const [train, test] = (["train", "test"] as const).map((split) =>
    proceduralObjects({ split, count: tests, seed: 2, size: 16 }),
  );
  const { scores } = await probe(
    { network: networkOf(config.encoder), valueRange: config.valueRange, encoders: { trained }, seed: config.seed },
    train,
    test,
    {
      subjects: ["trained", "random"],
      readOuts: ["kNN"],
      labelsPerClass: ["all"],
      seeds: 1,
      epochs: 1,
      learningRate: 1,
      batch: 1,
    },
    backend,
  );
  const of = (subject: string): number => scores.find((score) => score.subject === subject)?.accuracy ?? 0;
  return [of("trained"), of("random")];
}

/** The audit's verdicts, confirmed by intervention, against what the plugin claims of them. */
async function audits(plugin: Plugin, config: Config, backend: Backend): Promise<string> {
  const { summary, lessons } = await auditConfigured(config, backend);
  const wrongs = lessons.flatMap(({ layers }) =>
    layers.flatMap(({ layer, disagreements }) => disagreements.map((one) => `${layer}: ${one}`)),
  );
  if (wrongs.length > 0)
    throw new SaccadeError(
      `the intervention does not confirm the verdicts: ${wrongs.slice(0, 2).join("; ")}${wrongs.length > 2 ? `; and ${wrongs.length - 2} more` : ""}`,
    );
  const claims = (plugin.kind === "update" ? plugin.claims?.conditions : undefined) ?? {};
  const said = conditions
    .map((condition, i) => `(${["i", "ii", "iii", "iv"][i]}) ${summary[condition].word}`)
    .join(", ");
  for (const [numeral, claimed] of Object.entries(claims)) {
    const { verdict, word, because } = summary[numerals[numeral as keyof typeof numerals]];
    if ((verdict === "pass") !== claimed)
      throw new SaccadeError(
        `claims.conditions says that (${numeral}) ${claimed ? "holds" : "does not hold"}, the audit says ${word}${because.length > 0 ? `: ${because.join(", ")}` : ""}`,
      );
  }
  const count = Object.keys(claims).length;
  return `${said}; confirmed by intervention${count > 0 ? `; as claimed` : ""} (${config.learning}${plugin.kind === "update" ? ", hinge with the gradient block" : ""})`;
}

/** On the paper's CIFAR network, beside BP or the contrastive hinge. */
function costs(plugin: Plugin, configured: Configured): string {
  const learning = learningsOf(configured)[0];
  const measure = (config: Config) => {
    const { lessons } = recordOf(config);
    const all = lessons.map(({ program }) => explain(program));
    return {
      flops: all.reduce((sum, { flops }) => sum + flops, 0) / lessons.length,
      bytes: Math.max(...all.map(({ stepBytes }) => stepBytes)),
      feedback: all.reduce((sum, { persistentByRole }) => sum + (persistentByRole.feedback ?? 0) / 4, 0),
      views: madeLoss(config).views,
    };
  };
  const config = configured({ learning, encoder: "cifar", batch: 100 });
  const own = measure(config);
  const bp = plugin.kind === "update" ? changedConfig(config, { update: "BP" }, "check of the cost") : undefined;
  const usual = bp && measure(bp);
  const beside = usual ? `, ${(own.flops / usual.flops).toFixed(2)} × BP's` : "";
  return `${formatCount(own.flops, "FLOP")} a step of 100 images of the CIFAR network${beside}; ${formatBytes(own.bytes)} within a step${usual ? ` (BP ${formatBytes(usual.bytes)})` : ""}; ${formatCount(own.feedback)} feedback weights`;
}
