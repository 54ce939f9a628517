// The list of planted faults does not rot: each still has its one place to stand and tests to be noticed by. `npm run faults` plants them.

import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { faults, faulty } from "../../tools/faults.ts";

test.each(faults.map((fault) => ({ name: fault.name, fault })))("$name can be planted", ({ fault }) => {
  const text = readFileSync(fault.file, "utf8");
  expect(faulty(text, fault)).not.toBe(text);
  expect(fault.tests.length).toBeGreaterThan(0);
  for (const name of fault.tests) expect(existsSync(`tests/${name}.test.ts`), name).toBe(true);
});

test("no two faults share a name", () => {
  expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length);
});
