// The text of config.yaml, and of any configuration: written from a resolved one, read with what is wrong told by its place.

import { Document, isMap, isNode, isScalar, parseDocument, visit } from "yaml";
import { SaccadeError } from "../program/errors.ts";
import { type Config, configKeys } from "../training/config.ts";

/** The resolved configuration as YAML, each list on one line. */
export function configText(config: Config): string {
  const document = new Document(config);
  visit(document, {
    Seq: (_, list) => {
      list.flow = true;
    },
  });
  return document.toString({ flowCollectionPadding: false });
}

/** A run's configuration is complete: what it lacks could not be chosen yet when the run was made, and is what it was then. */
export function asItWas(raw: unknown): unknown {
  if (!isGroup(raw)) return raw;
  const { augmentation, probe } = raw;
  return {
    ...raw,
    ...(isGroup(augmentation) && (augmentation.kind === "simclr" || augmentation.kind === "affine")
      ? { augmentation: { antialias: false, ...augmentation } }
      : {}),
    ...(isGroup(probe) ? { probe: { augmentation: { kind: "none" }, ...probe } } : {}),
  };
}

const isGroup = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Reads YAML, with merge keys (`<<`); what is wrong with it is told with its place, the first line of the parser's message. Keys that no
 * configuration has are left out where they hold an anchor: they are there for others to be merged from.
 */
export function parseYaml(file: string, text: string): unknown {
  const document = parseDocument(text, { merge: true });
  const [error] = document.errors;
  if (error?.code === "MULTIPLE_DOCS")
    throw new SaccadeError(
      `${file}: must hold one configuration, got several, with --- between them; put each into a file of its own`,
    );
  let raw: unknown;
  try {
    if (error) throw error;
    visit(document, { Map: (_, { items }) => requireOneMerge(items) });
    raw = document.toJS();
    // What an alias leads back into has no end.
    JSON.stringify(raw);
  } catch (reason) {
    const { message } = reason as Error;
    const [why] = /circular/.test(message) ? ["an alias stands within what it repeats"] : message.split("\n");
    throw new SaccadeError(`${file}: not valid YAML: ${why.replace(/:$/, "")}; mend it there`);
  }
  if (!isMap(document.contents)) return raw;
  const forMerging = document.contents.items.flatMap(({ key, value }) =>
    isNode(value) && "anchor" in value && value.anchor !== undefined ? [String(key)] : [],
  );
  return Object.fromEntries(
    Object.entries(raw as object).filter(([key]) => configKeys.includes(key) || !forMerging.includes(key)),
  );
}

/** Of two merge keys in one group some readers take the first one's value, others the last one's. */
function requireOneMerge(items: readonly { readonly key: unknown }[]): void {
  const merges = items.filter(({ key }) => isScalar(key) && key.type === "PLAIN" && key.source === "<<");
  if (merges.length > 1) throw new Error("<< stands twice in one group, where one list does: <<: [*first, *second]");
}
