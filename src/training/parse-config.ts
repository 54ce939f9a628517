// From what a file and the command line say to a checked, complete configuration, or to a sentence for every mistake.

import { z } from "zod";
import { SaccadeError } from "../program/errors.ts";
import { type Config, calledProbe, type DataConfig, data, type Intervention } from "./config.ts";
import { checkCombination, probeRefusal } from "./config-checks.ts";
import { explainIssue, fieldOf, isGroup, isText, meant, objectsAt, show, valueAt } from "./config-mistakes.ts";
import { checkNames, recorded, schemaWith, updatesAmong, withPlugins } from "./config-plugins.ts";
import { loaded, ownKey, type Plugin } from "./plugin.ts";

/** A checked, complete configuration, or a sentence for every mistake in it. It keeps the plugins that it names. */
export function parseConfig(raw: unknown, where: string, plugins: readonly Plugin[] = []): Config {
  checkNames(plugins);
  const given = withKinds(withPreset(withoutNothing(raw)), where);
  const all = [...plugins, ...recorded(given, plugins)];
  const config = withPlugins(parse(schemaWith(all), given, where) as Config, plugins, where);
  checkCombination(config, all, where);
  checkInterventions(config, where);
  return config;
}

/** The configuration after an intervention has set some of it; the interventions themselves are left out. */
export function changedConfig(config: Config, set: NonNullable<Intervention["set"]>, where: string): Config {
  const { interventions: _, [loaded]: plugins = [], ...rest } = config;
  const { update = config.update, loss = config.loss, learningRate = config.optimiser.learningRate } = set;
  const sameKind = loss.kind === undefined || loss.kind === config.loss.kind;
  // Groups of keys of the update that was.
  const others = updatesAmong([...plugins, ...recorded(config, plugins)]).filter(({ name }) => name !== update);
  const keys = others.map(ownKey);
  return parseConfig(
    {
      ...Object.fromEntries(Object.entries(rest).filter(([key]) => !keys.includes(key))),
      update,
      loss: sameKind ? { ...config.loss, ...loss } : loss,
      optimiser: { ...config.optimiser, learningRate },
    },
    where,
    plugins,
  );
}

/** Every stage of a run must be a run that makes sense. */
function checkInterventions(config: Config, where: string): void {
  let [now, last] = [config, 0];
  for (const [i, { step, set }] of (config.interventions ?? []).entries()) {
    if (step < last)
      throw new SaccadeError(`${where}: interventions must be in the order of their steps, got ${step} after ${last}`);
    last = step;
    if (set) now = changedConfig(now, set, `${where}: interventions.${i}`);
  }
}

/** The options of a probe that a program calls, complete and checked as in a configuration. */
export function parseProbeOptions(raw: object, subjects: readonly string[]): z.infer<ReturnType<typeof calledProbe>> {
  const options = parse(calledProbe(subjects), raw, "probe");
  const nonsense = probeRefusal(options);
  if (nonsense) throw new SaccadeError(`probe: ${nonsense}`);
  return options;
}

/** A data section that stands alone; what is wrong in it is named as within a configuration. */
export const parseDataConfig = (raw: object, where: string): DataConfig =>
  parse(z.strictObject({ data }), withoutNothing({ data: raw }), where).data;

function parse<S extends z.ZodType>(schema: S, raw: unknown, where: string): z.infer<S> {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const sentences = parsed.error.issues.flatMap(meant).map((issue) => explainIssue(issue, raw));
  throw new SaccadeError(`${where}: ${sentences.join("; ")}`);
}

/** The raw configuration without keys that may be left out and hold nothing: `probe=null` on the command line, `probe:` in a file. */
function withoutNothing(raw: unknown, at: readonly string[] = []): unknown {
  const value = valueAt(raw, at);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const objects = objectsAt(at, raw);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, own]) => {
      const nothing = own === null && objects.some((object) => fieldOf(object, key) instanceof z.ZodOptional);
      return nothing ? [] : [[key, withoutNothing(raw, [...at, key])]];
    }),
  );
}

/** The raw configuration with the authors' choices where it asks for them and says nothing itself. */
function withPreset(raw: unknown): unknown {
  if (typeof raw !== "object" || raw === null) return raw;
  const given = raw as Record<string, unknown>;
  if (given.preset !== "authors-code") return raw;
  const loss = { kind: "contrastiveHinge", ...(given.loss as object | undefined) };
  const choices: Record<string, object> = {
    contrastiveHinge: { negativesReading: "authors-code" },
    simclr: { reduction: "mean" },
  };
  const dtp = {
    order: "targetsFirst",
    noise: { kind: "absolute", size: 1 },
    localLoss: "mean",
    ...(given.dtp as object | undefined),
  };
  return {
    ...given,
    augmentation: given.augmentation ?? { kind: "affine" },
    ...(isGroup(given.probe) ? { probe: withReadOut(given.probe) } : {}),
    loss: { ...choices[loss.kind], ...loss },
    ...(given.update === "DTP" ? { dtp } : {}),
  };
}

/** The authors train the read-out of STL-10 on random crops and flips, and that of no other dataset. */
function withReadOut(given: Record<string, unknown>): Record<string, unknown> {
  const { train, readOuts } = given;
  const crops =
    isGroup(train) && train.dataset === "stl-10" && (!Array.isArray(readOuts) || readOuts.includes("paper"));
  return crops ? { augmentation: { kind: "crop" }, ...given } : given;
}

/** The raw configuration with the kinds of optimiser and schedule that go without saying, and with the short form of Adam written out. */
function withKinds(raw: unknown, where: string): unknown {
  if (!isGroup(raw)) return raw;
  const { adam: short, ...given } = raw;
  if (short !== undefined) {
    if (!isGroup(short))
      throw new SaccadeError(`${where}: adam must be a group of keys and values, got ${show(short)}`);
    const kind = isGroup(given.optimiser) ? (given.optimiser.kind ?? "adam") : "adam";
    if (kind !== "adam")
      throw new SaccadeError(
        `${where}: adam is short for optimiser.kind adam, got optimiser.kind ${show(kind)}; write optimiser.${Object.keys(short)[0] ?? "learningRate"}`,
      );
    given.optimiser = { ...(given.optimiser as object | undefined), ...short };
  }
  if (!isGroup(given.optimiser)) return given;
  const { schedule: rates } = given.optimiser;
  return {
    ...given,
    optimiser: {
      kind: "adam",
      ...given.optimiser,
      ...(isGroup(rates) ? { schedule: { kind: "constant", ...rates } } : {}),
    },
  };
}

/**
 * Sets `a.b.c=value` in a raw configuration; the value is read as YAML, so `5` is a number and `[0, 1]` a list, but for keys that hold text.
 * An entry of a list goes by its place: `encoder.blocks.0.outputs=16`. `within` says which section of a configuration `raw` is.
 */
export function override(
  raw: unknown,
  assignment: string,
  parseValue: (text: string) => unknown,
  within: readonly string[] = [],
): void {
  const match = /^([A-Za-z]\w*(?:\.(?:[A-Za-z]\w*|\d+))*)=(.*)$/s.exec(assignment);
  if (!match) throw new SaccadeError(`override: must look like key=value, got "${assignment}"; for example seed=1`);
  const [, path, text] = match;
  const keys = path.split(".");
  let node = raw as Record<string, unknown>;
  keys.slice(0, -1).forEach((key, depth) => {
    // Own keys alone: `constructor` and its like are not ours to reach through.
    if (!Object.hasOwn(node, key) || node[key] === null) node[key] = {};
    const next = node[key];
    const whole = keys.slice(0, depth + 1).join(".");
    const wanted = keys[depth + 1];
    if (Array.isArray(next) && /^\d+$/.test(wanted)) {
      if (Number(wanted) >= next.length)
        throw new SaccadeError(
          `override: ${whole} has ${next.length} entries, counted from 0, got ${assignment}; set it as a whole: ${whole}=[…]`,
        );
    } else if (typeof next !== "object" || Array.isArray(next))
      throw new SaccadeError(
        `override: ${whole} must be a group of keys for ${path}, got ${show(next)}; set it as a whole: ${whole}=…`,
      );
    // A copy: what an alias repeats elsewhere stays as it is.
    const copy = Array.isArray(next) ? [...next] : { ...next };
    node[key] = copy;
    node = copy as Record<string, unknown>;
  });
  const value = parseValue(text);
  const plain = typeof value === "number" || typeof value === "boolean" || text === "~";
  const places = keys.map((key) => (/^\d+$/.test(key) ? Number(key) : key));
  node[keys[keys.length - 1]] = plain && isText([...within, ...places]) ? text : value;
}
