// Mistakes in a configuration, in sentences: where, what must stand there, what does, and how to mend it.

import { z } from "zod";
import { nearest } from "../data/nearest.ts";
import { configSchema } from "./config.ts";

export const isGroup = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Of a union's one issue those within the member that the value is of the kind of; itself where it is of no member's. */
export function meant(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [issue];
  const within = issue.errors.find((errors) =>
    errors.every(({ path, code }) => path.length > 0 || code === "unrecognized_keys"),
  );
  return within?.flatMap((one) => meant({ ...one, path: [...issue.path, ...one.path] })) ?? [issue];
}

/** `encoder.blocks.0.kernel`, and of which block that is. */
function pathOf(path: readonly PropertyKey[]): string {
  const block = path[0] === "encoder" && path[1] === "blocks" ? path[2] : undefined;
  return path.join(".") + (typeof block === "number" ? ` (block conv${block + 1})` : "");
}

export function explainIssue(issue: z.core.$ZodIssue, raw: unknown): string {
  const path = pathOf(issue.path);
  if (issue.code === "unrecognized_keys") return explainKeys(issue.keys, issue.path, raw);
  const got = valueAt(raw, issue.path);
  const close = typeof got === "string" ? nearest(got, wordsOf(issue)) : undefined;
  const nameable = typeof got === "string" && ["update", "loss.kind", "augmentation.kind"].includes(path);
  const bare = issue.code === "invalid_type" && issue.expected === "string" && /number|boolean/.test(typeof got);
  const quoted = issue.code === "invalid_type" && typeof got === "string" && isValueOf(issue.expected, got);
  const mend = close
    ? `; did you mean "${close}"?`
    : bare
      ? "; put it in quotes"
      : quoted
        ? "; leave its quotes out"
        : nameable
          ? "; one of your own comes with --plugin FILE"
          : "";
  return `${path || "the file"} must ${wanted(issue)}, got ${show(got)}${mend}`;
}

/** Whether a text would be a number, or true or false, without its quotes. */
const isValueOf = (type: string, text: string): boolean =>
  type === "boolean"
    ? text === "true" || text === "false"
    : type === "number" && text.trim() !== "" && Number.isFinite(Number(text));

/** Keys that are misspelt, and keys of another kind of loss or augmentation than the one that is given. */
function explainKeys(keys: readonly string[], at: readonly PropertyKey[], raw: unknown): string {
  const path = at.join(".");
  const full = (key: string): string => (path ? `${path}.${key}` : key);
  const known = keysAt(at, raw);
  const foreign = keysAt(at).filter((key) => keys.includes(key));
  const sentences = keys
    .filter((key) => !foreign.includes(key))
    .map((key) => {
      const close = nearest(key, known);
      return `unknown key "${full(key)}"${close ? `, did you mean "${close}"?` : ""} (known: ${known.join(", ")})`;
    });
  if (foreign.length > 0) {
    const { kind } = valueAt(raw, at) as { kind: string };
    const [are, them] = foreign.length === 1 ? ["is not a key", "it"] : ["are not keys", "them"];
    sentences.push(
      `${foreign.map(full).join(" and ")} ${are} of ${path} kind ${kind} (known: ${known.join(", ")}); leave ${them} out, or set it whole: ${path}='{kind: ${kind}}'`,
    );
  }
  return sentences.join("; ");
}

/** What goes between "must" and ", got". */
function wanted(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `be ${typeNames[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return issue.values.length === 1
        ? `be ${String(issue.values[0])}`
        : `be one of ${issue.values.map(String).join(", ")}`;
    case "too_small":
      return bounded(issue.origin, issue.inclusive === false ? "above" : "at least", issue.minimum);
    case "too_big":
      return bounded(issue.origin, issue.inclusive === false ? "below" : "at most", issue.maximum);
    case "invalid_union":
      if (issue.errors.length === 0) return `be one of ${wordsOf(issue).join(", ")}`;
      return [...new Set(issue.errors.map(([first]) => wanted(first)))].join(" or ").replaceAll(" or be ", " or ");
    default:
      return `be ${issue.message}`;
  }
}

const typeNames: Readonly<Record<string, string>> = {
  number: "a number",
  int: "a whole number",
  string: "text",
  boolean: "true or false",
  object: "a group of keys and values",
  array: "a list",
  tuple: "a list",
};

const bounded = (origin: string, relation: string, limit: number | bigint): string =>
  origin === "array" ? `be a list of ${relation} ${limit}` : `be ${relation} ${limit}`;

/** Words that a value may be, in an issue and in the members of its union. */
function wordsOf(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "invalid_value") return issue.values.map(String);
  if (issue.code !== "invalid_union") return [];
  const named = "options" in issue ? (issue.options ?? []) : [];
  return [...named.map(String), ...issue.errors.flat().flatMap(wordsOf)];
}

export const show = (value: unknown): string =>
  value === undefined ? "nothing" : typeof value === "number" ? String(value) : JSON.stringify(value);

export function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], raw);
}

/** Keys that the schema knows at a path; of a union those of the kind that `raw` gives, without `raw` those of all kinds. */
const keysAt = (path: readonly PropertyKey[], raw?: unknown): string[] => [
  ...new Set(objectsAt(path, raw).flatMap(({ shape }) => Object.keys(shape))),
];

/** What the schema has at a path, as far as it is a group of keys. */
export function objectsAt(path: readonly PropertyKey[], raw?: unknown): z.ZodObject[] {
  let schemas: z.core.$ZodType[] = [configSchema];
  const open = (schema: z.core.$ZodType, kind: unknown): z.core.$ZodType[] => {
    if (schema instanceof z.ZodDefault || schema instanceof z.ZodOptional)
      return open(schema.unwrap() as z.core.$ZodType, kind);
    if (!(schema instanceof z.ZodUnion)) return [schema];
    const members = (schema.options as z.core.$ZodType[]).flatMap((member) => open(member, kind));
    return kind === undefined ? members : members.filter((member) => fieldOf(member, "kind")?.safeParse(kind).success);
  };
  const opened = (depth: number): z.core.$ZodType[] => {
    const value = valueAt(raw, path.slice(0, depth)) as { kind?: unknown } | undefined;
    return schemas.flatMap((schema) => open(schema, value?.kind));
  };
  path.forEach((key, depth) => {
    schemas = opened(depth).flatMap((schema) =>
      schema instanceof z.ZodArray && typeof key === "number" ? schema.element : (fieldOf(schema, key) ?? []),
    );
  });
  return opened(path.length).filter((schema) => schema instanceof z.ZodObject);
}

/** Whether a key is for text: a folder may be called 2024. */
export function isText(path: readonly PropertyKey[]): boolean {
  const fields = objectsAt(path.slice(0, -1)).map((object) => fieldOf(object, path[path.length - 1]));
  return fields.some(
    (field) =>
      (field instanceof z.ZodOptional || field instanceof z.ZodDefault ? field.unwrap() : field) instanceof z.ZodString,
  );
}

export const fieldOf = (schema: z.core.$ZodType, key: PropertyKey): z.ZodType | undefined =>
  schema instanceof z.ZodObject ? (schema.shape as Record<PropertyKey, z.ZodType>)[key] : undefined;
