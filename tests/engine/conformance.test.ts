// Conformance: every operation of the table, at random odd shapes, on every backend, held against the float64 reference.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend, Engine } from "../../src/backends/backend.ts";
import { referenceBackend } from "../../src/backends/reference/backend.ts";
import { kinds } from "../../src/program/operations.ts";
import { backendsUnderTest } from "../support/backends.ts";
import { evaluateCase, recordCases } from "../support/operation-cases.ts";
import { compare } from "../support/tolerances.ts";

const recorded = recordCases(5);

describe.each(backendsUnderTest)("backend $name", (entry) => {
  let engine: Engine;
  let oracle: Engine;

  beforeAll(async () => {
    const backend: Backend = await entry.open();
    const programs = recorded.map(({ program }) => program);
    engine = await backend.prepare(programs);
    oracle = await referenceBackend.prepare(programs);
  });
  afterAll(async () => {
    await engine.dispose();
    await oracle.dispose();
  });

  test.each(kinds.map((kind) => ({ kind })))("$kind equals the reference", async ({ kind }) => {
    for (const entry of recorded.filter((candidate) => candidate.kind === kind)) {
      const wanted = await evaluateCase(oracle, entry);
      const got = await evaluateCase(engine, entry);
      entry.read.forEach((tensor, i) => {
        expect(compare(got[i], wanted[i], { kind, terms: entry.terms, what: tensor.name })).toBe("equal");
      });
    }
  });
});
