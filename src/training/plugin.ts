// What a rule, a loss or an augmentation brings to be named in a configuration: Saccade's own and a stranger's alike.

import type { OwnAugmentation } from "../data/augmentation.ts";
import { nearest } from "../data/nearest.ts";
import type { Loss, LossInput } from "../losses/loss.ts";
import type { Condition } from "../program/audit.ts";
import { SaccadeError, wrong } from "../program/errors.ts";
import type { Learning } from "../rules/learning.ts";
import type { Update } from "../rules/update.ts";

/** What zod's schemas have, of whatever copy or version of zod; `z` of saccade is the one that configurations are checked with. */
export interface Schema<Options> {
  readonly safeParse: (value: unknown) => SchemaResult<Options>;
}

export type SchemaResult<Options> =
  | { readonly success: true; readonly data: Options }
  | { readonly success: false; readonly error: { readonly issues: readonly object[] } };

/** What a configuration puts beside the thing that is asked whether it goes with it. */
export interface Beside {
  readonly learning: Learning["name"];
  readonly update: string;
  readonly loss: string;
  /** Whether the loss reads a layer's picture, without a head. */
  readonly headless: boolean;
  readonly labelled: boolean;
}

interface Named<Options> {
  /** What the configuration calls it. */
  readonly name: string;
  /** Of its own keys; without one it has none. */
  readonly schema?: Schema<Options>;
  /** Why it does not go with what stands beside it, in a sentence that ends in what to use; undefined where it does. */
  readonly refuses?: (beside: Beside) => string | undefined;
  /** Keys of the small configuration of `saccade check` that must be others for it: `{ optimiser: { learningRate: 3e-3 } }`. */
  readonly check?: object;
  /** Where the file comes from; the loader says it. */
  readonly source?: PluginSource;
}

/** Named as `update`; its own keys stand in a group, `ownKey` says which. */
export interface UpdatePlugin<Options = unknown> extends Named<Options> {
  readonly kind: "update";
  /** The group's name, where it is not made of the update's. */
  readonly key?: string;
  /** Makes it of its own keys. */
  create(options: Options, context: { readonly seed: number }): Update;
  /** Whether its feedback receives the weights' increments (changes with `beside`), so that optimiser.feedback is for it. */
  readonly learningFeedback?: boolean;
  readonly identity?: Identity;
  readonly claims?: UpdateClaims;
}

/** Named as `loss.kind`; its own keys stand beside it. */
export interface LossPlugin<Options = unknown> extends Named<Options> {
  readonly kind: "loss";
  /** Makes it of its own keys. */
  create(options: Options, context: { readonly augmentation: { readonly kind: string } }): Loss;
  readonly claims?: LossClaims;
}

/** Named as `augmentation.kind`; its own keys stand beside it. */
export interface AugmentationPlugin<Options = unknown> extends Named<Options> {
  readonly kind: "augmentation";
  /** Makes it of its own keys. */
  create(options: Options): Pick<OwnAugmentation, "draw">;
}

/** What a file may export to be named in a configuration. */
export type Plugin = UpdatePlugin | LossPlugin | AugmentationPlugin;

/** What must hold exactly, and makes a rule the rule that it is. `saccade check` tries it on the float64 reference. */
export interface Identity {
  /**
   * `weights`: where every feedback weight is set to the weight that it stands in for. `head`: where the last block's, of the head's shape, is
   * set to the head's weight.
   */
  readonly whenFeedbackIs: "weights" | "head";
  /** All changes are then BP's; under `head` those of the head and of the last block. */
  readonly equals: "BP";
  /** So many steps of Adam later still; default: the first changes alone. */
  readonly forSteps?: number;
}

export interface UpdateClaims {
  /** Its changes of the network's weights are the loss's gradient. */
  readonly gradient?: boolean;
  /** The verdicts of the audit, all layers together, under the contrastive hinge with the gradient block: true is a pass. */
  readonly conditions?: Partial<Readonly<Record<"i" | "ii" | "iii" | "iv", boolean>>>;
}

export interface LossClaims {
  /** Its error is the gradient of its value. */
  readonly gradient?: boolean;
}

export const numerals: Readonly<Record<"i" | "ii" | "iii" | "iv", Condition>> = {
  i: "activities",
  ii: "arithmetic",
  iii: "transport",
  iv: "labels",
};

/** Which file a plugin is, as a run's record has it: the run is another with another file. */
export interface PluginSource {
  /** Its name without the folders before it, which do not matter; within a package, its path there. */
  readonly file: string;
  /** `name@version`, of a package. */
  readonly package?: string;
  /** Of that file; what it imports is not in it. */
  readonly sha256: string;
}

/** Where a parsed configuration keeps the plugins that it names: no key of the file, so that it is neither written nor hashed. */
export const loaded: unique symbol = Symbol("plugins");

/** What a run's record says of a plugin. */
export const asWritten = (plugin: Plugin) => ({
  kind: plugin.kind,
  ...("key" in plugin ? { key: plugin.key } : {}),
  ...plugin.source,
});

/** The group of an update's own keys: `myRule` of MyRule, `wm` of WM. */
export const ownKey = ({ name, key }: Pick<UpdatePlugin, "name" | "key">): string =>
  key ?? name.replace(/^[A-Z]+(?![a-z])|^[A-Z]/, (capitals) => capitals.toLowerCase());

const kinds = ["update", "loss", "augmentation"] as const;

/** A module's default export as a plugin, or a sentence. `where` is the file. */
export function asPlugin(value: unknown, where: string): Plugin {
  if (typeof value !== "object" || value === null)
    throw wrong(
      where,
      "its default export",
      "a plugin",
      value === undefined ? "none" : typeof value,
      'write export default { kind: "update", name: "MyRule", create }',
    );
  const plugin = value as Partial<Record<string, unknown>>;
  const { kind, name, create, schema, refuses, key } = plugin;
  if (!kinds.some((one) => one === kind)) throw wrong(where, "kind", `one of ${kinds.join(", ")}`, shown(kind));
  if (typeof name !== "string" || !/^[A-Za-z]\w*$/.test(name))
    throw wrong(where, "name", "a word of letters, digits and _, which the configuration uses", shown(name));
  for (const [argument, own, needed] of [
    ["create", create, true],
    ["refuses", refuses, false],
  ] as const)
    if (typeof own !== "function" && (needed || own !== undefined))
      throw wrong(where, argument, needed ? "a function from the options" : "a function, or left out", shown(own));
  if (schema !== undefined && typeof (schema as Partial<Schema<unknown>> | null)?.safeParse !== "function")
    throw wrong(
      where,
      "schema",
      "one of zod's, with a safeParse, or left out",
      shown(schema),
      "z of saccade makes them",
    );
  if (key !== undefined && (typeof key !== "string" || !/^[A-Za-z]\w*$/.test(key)))
    throw wrong(where, "key", "a word of letters, digits and _, or left out", shown(key));
  requireKnown(where, "", plugin, parts[kind as Plugin["kind"]]);
  if (plugin.learningFeedback !== undefined) requireFlag(where, "learningFeedback", plugin.learningFeedback);
  requireIdentity(where, plugin.identity);
  requireClaims(where, kind as Plugin["kind"], plugin.claims);
  return plugin as unknown as Plugin;
}

const named = ["kind", "name", "schema", "refuses", "check", "source", "create"] as const;
/** What a plugin may have: a misspelt claim would be no claim, and pass. */
const parts: Readonly<Record<Plugin["kind"], readonly string[]>> = {
  update: [...named, "key", "learningFeedback", "identity", "claims"],
  loss: [...named, "claims"],
  augmentation: named,
};

function requireKnown(where: string, within: string, group: unknown, known: readonly string[]): object {
  if (typeof group !== "object" || group === null)
    throw wrong(where, within, `a group of ${known.join(", ")}`, shown(group));
  const stray = Object.keys(group).find((own) => !known.includes(own));
  if (stray === undefined) return group;
  const close = nearest(stray, known);
  const path = within === "" ? stray : `${within}.${stray}`;
  throw new SaccadeError(
    `${where}: unknown key "${path}"${close ? `, did you mean "${close}"?` : ""} (known: ${known.join(", ")})`,
  );
}

function requireFlag(where: string, argument: string, value: unknown): void {
  if (typeof value !== "boolean") throw wrong(where, argument, "true or false", shown(value));
}

function requireIdentity(where: string, identity: unknown): void {
  if (identity === undefined) return;
  const own: Partial<Record<keyof Identity, unknown>> = requireKnown(where, "identity", identity, [
    "whenFeedbackIs",
    "equals",
    "forSteps",
  ]);
  if (own.whenFeedbackIs !== "weights" && own.whenFeedbackIs !== "head")
    throw wrong(where, "identity.whenFeedbackIs", "weights or head", shown(own.whenFeedbackIs));
  if (own.equals !== "BP") throw wrong(where, "identity.equals", "BP", shown(own.equals));
  const { forSteps = 0 } = own;
  if (!(Number.isInteger(forSteps) && (forSteps as number) >= 0))
    throw wrong(where, "identity.forSteps", "a whole number of steps, or left out", shown(forSteps));
}

function requireClaims(where: string, kind: Plugin["kind"], claims: unknown): void {
  if (claims === undefined) return;
  const own: Partial<Record<keyof UpdateClaims, unknown>> = requireKnown(
    where,
    "claims",
    claims,
    kind === "update" ? ["gradient", "conditions"] : ["gradient"],
  );
  if (own.gradient !== undefined) requireFlag(where, "claims.gradient", own.gradient);
  if (own.conditions === undefined) return;
  const conditions = requireKnown(where, "claims.conditions", own.conditions, Object.keys(numerals));
  for (const [numeral, claimed] of Object.entries(conditions))
    requireFlag(where, `claims.conditions.${numeral}`, claimed);
}

const shown = (value: unknown): string =>
  value === undefined ? "nothing" : typeof value === "string" ? `"${value}"` : typeof value;

/** A stranger's Update that says whose fault it is where something goes wrong. */
export function guardedUpdate(make: () => unknown, { name, source }: Pick<UpdatePlugin, "name" | "source">): Update {
  const where = whose({ kind: "update", name, source });
  const update = requireMade<Update>(guarded(where, "create", make), where, "an Update", {
    name: "string",
    prepare: "function",
  });
  return {
    name,
    prepare: (learners) => {
      const prepared = guarded(where, "prepare", () => update.prepare(learners));
      requireMade(prepared, `${where}: prepare`, "a PreparedUpdate", { record: "function", parameters: "object" });
      const { inspect } = prepared;
      return {
        parameters: prepared.parameters,
        record: (...step) => guarded(where, "record", () => requireChanges(prepared.record(...step), where, step[1])),
        ...(inspect ? { inspect: (...step) => guarded(where, "inspect", () => inspect.apply(prepared, step)) } : {}),
      };
    },
  };
}

/** One change for every synapse, of its shape: a synapse that is forgotten would keep its value and nobody would notice. */
function requireChanges(
  changes: ReturnType<ReturnType<Update["prepare"]>["record"]>,
  where: string,
  { blocks, head }: Parameters<ReturnType<Update["prepare"]>["record"]>[1],
): typeof changes {
  if (!Array.isArray(changes)) throw wrong(where, "what record returns", "a list of changes", shown(changes));
  for (const change of changes) {
    const { weight, gradient } = change ?? {};
    if (!weight?.shape || !gradient?.shape) throw wrong(where, "a change", "{ weight, gradient }", shown(change));
    if (weight.shape.join() !== gradient.shape.join())
      throw wrong(where, `the change of ${weight.name}`, `of its shape [${weight.shape.join(", ")}]`, gradient.shape);
  }
  const changed = new Set(changes.map(({ weight }) => weight));
  for (const { weight, bias } of [...blocks, ...(head ? [head] : [])].map(({ synapses }) => synapses))
    for (const tensor of bias ? [weight, bias] : [weight])
      if (!changed.has(tensor))
        throw wrong(where, "what record returns", `a change for every synapse tensor`, `none for ${tensor.name}`);
  return changes;
}

/** A stranger's Loss, likewise. */
export function guardedLoss(make: () => unknown, { name, source }: Pick<LossPlugin, "name" | "source">): Loss {
  const where = whose({ kind: "loss", name, source });
  const loss = requireMade<Loss>(guarded(where, "create", make), where, "a Loss", {
    name: "string",
    views: "number",
    labelled: "boolean",
    reduction: "string",
    head: "function",
    prepare: "function",
  });
  return {
    ...loss,
    name,
    prepare: (...shape) => {
      const prepared = guarded(where, "prepare", () => loss.prepare(...shape));
      requireMade(prepared, `${where}: prepare`, "a PreparedLoss", { record: "function", parameters: "object" });
      return {
        parameters: prepared.parameters,
        record: (record, input) =>
          guarded(where, "record", () => {
            const trace = prepared.record(record, loss.labelled ? input : withoutLabels(input, where));
            return requireMade(trace, `${where}: record`, "a LossTrace", {
              value: "object",
              error: "object",
              firstRow: "number",
              metrics: "object",
              changes: "object",
            });
          }),
      };
    },
  };
}

/** What a loss reads that says that it reads no labels: to ask for them ends in a sentence, not in `undefined`. */
const withoutLabels = (input: LossInput, where: string): LossInput =>
  Object.defineProperty({ ...input }, "labels", {
    get: () => {
      throw wrong(where, "labelled", "true for a loss that reads labels", "false");
    },
  });

/** A stranger's augmentation, likewise. */
export function guardedAugmentation(
  make: () => unknown,
  plugin: Pick<AugmentationPlugin, "name" | "source">,
): OwnAugmentation {
  const where = whose({ kind: "augmentation", ...plugin });
  const { draw } = requireMade<OwnAugmentation>(guarded(where, "create", make), where, "an augmentation", {
    draw: "function",
  });
  return {
    kind: plugin.name,
    draw: (view, row) => {
      guarded(where, "draw", () => draw(view, row));
      const bad = row.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) throw wrong(where, `row[${bad}] of draw`, "a finite number", row[bad]);
    },
  };
}

/** `update MyRule (my-rule.ts)`. */
export const whose = ({
  kind,
  name,
  source,
}: Pick<Plugin, "kind" | "name"> & { readonly source?: PluginSource | undefined }): string =>
  `${kind} ${name}${source ? ` (${source.package ?? source.file})` : ""}`;

function requireMade<T extends object>(made: unknown, where: string, what: string, parts: Record<string, string>): T {
  if (typeof made !== "object" || made === null)
    throw wrong(where, "what it makes", `${what}, with ${Object.keys(parts).join(", ")}`, shown(made));
  for (const [part, type] of Object.entries(parts)) {
    const own = (made as Record<string, unknown>)[part];
    const got = own === null ? "null" : typeof own;
    if (got !== type) throw wrong(where, `${part} of what it makes`, `a ${type}, as ${what} has it`, shown(own));
  }
  return made as T;
}

function guarded<T>(where: string, part: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const { message, stack = "" } = error as Error;
    if (error instanceof SaccadeError && message.startsWith(where)) throw error;
    // The line of the stranger's own file.
    const [, at = ""] = /\(?((?:file:|\/)[^()\n]*:\d+:\d+)\)?/.exec(stack) ?? [];
    const place = error instanceof SaccadeError || at === "" ? "" : ` (${at.replace(/^.*\//, "")})`;
    throw new SaccadeError(`${where}: ${part} failed: ${message}${place}`, { cause: error });
  }
}
