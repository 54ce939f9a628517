// Plugins in a configuration: their names beside Saccade's own, their own keys, and the record of the files that they are.

import { z } from "zod";
import { nearest } from "../data/nearest.ts";
import { SaccadeError } from "../program/errors.ts";
import { augmentations, type Config, configSchema, losses } from "./config.ts";
import { explainIssue, isGroup } from "./config-mistakes.ts";
import { asWritten, loaded, ownKey, type Plugin, type UpdatePlugin, whose } from "./plugin.ts";
import { augmentationNames, lossNames, updateNames, updates } from "./registry.ts";

/** A name that is taken would mean something else than it says. */
export function checkNames(plugins: readonly Plugin[]): void {
  const names: Record<Plugin["kind"], string[]> = {
    update: [...updateNames],
    loss: [...lossNames],
    augmentation: [...augmentationNames],
  };
  const keys = Object.keys(configSchema.shape);
  for (const plugin of plugins) {
    const { kind, name } = plugin;
    if (names[kind].includes(name))
      throw new SaccadeError(`${whose(plugin)}: its name is taken; give it one that is not ${names[kind].join(", ")}`);
    names[kind].push(name);
    if (kind !== "update") continue;
    const key = ownKey(plugin);
    if (keys.includes(key))
      throw new SaccadeError(`${whose(plugin)}: its key ${key} is taken in configurations; give it another: key: "…"`);
    keys.push(key);
  }
}

/** What a raw configuration's record says of plugins that are not loaded: enough to read it, not to train. */
export type Recorded = Pick<UpdatePlugin, "name" | "key"> & { readonly kind: Plugin["kind"] };

export function recorded(raw: unknown, plugins: readonly Plugin[]): Recorded[] {
  const record = isGroup(raw) && isGroup(raw.plugins) ? raw.plugins : {};
  return Object.entries(record).flatMap(([name, of]) => {
    const { kind, key } = (of ?? {}) as Partial<Recorded>;
    if (kind === undefined || plugins.some((plugin) => plugin.kind === kind && plugin.name === name)) return [];
    return [{ name, kind, ...(key === undefined ? {} : { key }) }];
  });
}

/** The schema with the names of plugins, whose own keys their own schemas check. */
export function schemaWith(plugins: readonly Recorded[]): z.ZodObject {
  const named = (kind: Plugin["kind"]): Recorded[] => plugins.filter((plugin) => plugin.kind === kind);
  const open = (kind: Plugin["kind"]) => named(kind).map(({ name }) => z.looseObject({ kind: z.literal(name) }));
  if (plugins.length === 0) return configSchema;
  return configSchema.extend({
    update: z.enum([...updateNames, ...named("update").map(({ name }) => name)]).default("BP"),
    loss: z
      .discriminatedUnion("kind", [...losses.options, ...open("loss")])
      .default(losses.parse({ kind: "contrastiveHinge" })),
    augmentation: z
      .discriminatedUnion("kind", [...augmentations.options, ...open("augmentation")])
      .default(augmentations.parse({ kind: "simclr" })),
    ...Object.fromEntries(named("update").map((plugin) => [ownKey(plugin), z.looseObject({}).optional()])),
  });
}

/** A configuration whose plugins have checked their own keys, with the files that they are. */
export function withPlugins(config: Config, plugins: readonly Plugin[], where: string): Config {
  const groups: Record<string, unknown> = {};
  const used: Plugin[] = [];
  const names = namesOf(config);
  for (const plugin of plugins) {
    const { kind, name } = plugin;
    if (!names[kind].includes(name)) continue;
    used.push(plugin);
    const named = kind === "update" ? config.update : config[kind].kind;
    // Of one that only an intervention sets, the stage that it begins checks the keys.
    if (named === name) Object.assign(groups, ownGroup(plugin, config, where));
    const before = config.plugins?.[name]?.sha256;
    const now = plugin.source?.sha256;
    if (before !== undefined && before !== now)
      throw new SaccadeError(
        `${where}: ${kind} ${name} must be the file with SHA-256 ${before.slice(0, 12)}…, got ${now ? `${now.slice(0, 12)}… (${plugin.source?.file})` : "none"}; restore the file, or start a new run`,
      );
  }
  const notLoaded = Object.entries(config.plugins ?? {}).filter(
    ([name, { kind }]) =>
      names[kind].includes(name) && !used.some((plugin) => plugin.kind === kind && plugin.name === name),
  );
  const record = Object.fromEntries([...used.map((plugin) => [plugin.name, asWritten(plugin)]), ...notLoaded]);
  const { plugins: _, ...rest } = config;
  return {
    ...rest,
    ...groups,
    ...(Object.keys(record).length > 0 ? { plugins: record } : {}),
    ...(used.length > 0 ? { [loaded]: used } : {}),
  };
}

/** What a configuration names from its start to its end. */
function namesOf({ update, loss, augmentation, interventions = [] }: Config): Record<Plugin["kind"], string[]> {
  const sets = interventions.flatMap(({ set }) => set ?? []);
  return {
    update: [update, ...sets.flatMap((set) => set.update ?? [])],
    loss: [loss.kind, ...sets.flatMap((set) => set.loss?.kind ?? [])],
    augmentation: [augmentation.kind],
  };
}

/** The part of a configuration that a plugin has checked. */
function ownGroup(plugin: Plugin, config: Config, where: string): object {
  const { kind, name } = plugin;
  if (kind === "update") {
    const key = ownKey(plugin);
    const own = ownOptions(plugin, (config as Record<string, unknown>)[key], key, where);
    return plugin.schema ? { [key]: own } : {};
  }
  const { kind: _, ...given } = config[kind];
  return { [kind]: { kind: name, ...ownOptions(plugin, given, kind, where) } };
}

/** A plugin's own keys, complete, or a sentence for every mistake in them. */
function ownOptions(plugin: Plugin, given: unknown = {}, key: string, where: string): object {
  const { schema, name, kind } = plugin;
  const unknown = (keys: readonly string[]): SaccadeError => {
    const known = Object.keys((schema as { shape?: object } | undefined)?.shape ?? {});
    const [own] = keys;
    const close = nearest(own, known);
    return new SaccadeError(
      `${where}: unknown key "${key}.${own}"${close ? `, did you mean "${close}"?` : ""} (${kind} ${name} knows: ${known.join(", ") || "none"})`,
    );
  };
  const keys = Object.keys(given as object);
  if (schema === undefined) {
    if (keys.length > 0) throw unknown(keys);
    return {};
  }
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const issues = parsed.error.issues as readonly z.core.$ZodIssue[];
    const [first] = issues;
    if (first.code === "unrecognized_keys" && first.path.length === 0) throw unknown(first.keys);
    const sentences = issues.map((issue) => explainIssue({ ...issue, path: [key, ...issue.path] }, { [key]: given }));
    throw new SaccadeError(`${where}: ${sentences.join("; ")}`);
  }
  const options = parsed.data as Record<string, unknown>;
  // A schema that passes over what it does not know would let a misspelt key go unnoticed.
  const dropped = keys.filter((own) => !Object.hasOwn(options, own));
  if (dropped.length > 0) throw unknown(dropped);
  return options;
}

/** Saccade's own updates, and those of plugins. */
export const updatesAmong = (plugins: readonly Recorded[]): readonly Pick<UpdatePlugin, "name" | "key">[] => [
  ...updates,
  ...plugins.filter(({ kind }) => kind === "update"),
];
