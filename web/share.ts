// The configuration in the address: #v=1&c=…, the keys that differ from what the page starts with. What comes out of an address is only
// taken apart here; the worker checks it with the schema of the command line.

import { base, type Raw } from "./configuration.ts";

/** Characters of a hash that is looked at; the longest that the controls make has some 700. */
const longest = 4000;

/** The hash of a configuration, "" for the page's own. */
export function toHash(raw: Raw): string {
  const changed = Object.entries(raw).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(base[key]));
  return changed.length === 0 ? "" : `#v=1&c=${encodeURIComponent(JSON.stringify(Object.fromEntries(changed)))}`;
}

/** The raw configuration of a hash, or a sentence about what is wrong with it. */
export function fromHash(hash: string): { readonly raw: Raw } | { readonly refused: string } {
  if (hash === "" || hash === "#") return { raw: base };
  if (hash.length > longest)
    return { refused: `The address is ${hash.length} characters long, and a configuration takes at most ${longest}.` };
  const words = new URLSearchParams(hash.slice(1));
  if (words.get("v") !== "1")
    return { refused: "The address does not begin with #v=1, as a shared configuration does." };
  try {
    const changed: unknown = JSON.parse(words.get("c") ?? "{}");
    if (typeof changed === "object" && changed !== null && !Array.isArray(changed))
      return { raw: { ...base, ...changed } };
  } catch {
    // Said below, with all else that is no group of keys.
  }
  return { refused: "The part c= of the address is no configuration: it is damaged, or cut off." };
}
