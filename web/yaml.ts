// A raw configuration as YAML for `saccade train`: a key a line, groups in braces. It writes what JSON can hold, and reads nothing.

const plainWord = /^[A-Za-z][\w-]*$/;
/** Words that YAML reads as something else than text. */
const taken = /^(true|false|null|yes|no|on|off|y|n)$/i;

function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(", ")}]`;
  if (typeof value === "object" && value !== null)
    return `{ ${Object.entries(value)
      .filter(([, part]) => part !== undefined)
      .map(([key, part]) => `${flow(key)}: ${flow(part)}`)
      .join(", ")} }`;
  if (typeof value === "string" && plainWord.test(value) && !taken.test(value)) return value;
  return JSON.stringify(value);
}

/** Ends in a line break. */
export const toYaml = (raw: object): string =>
  Object.entries(raw)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${flow(key)}: ${flow(value)}\n`)
    .join("");
