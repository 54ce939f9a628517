// The locality audit of a configuration: read off its step, and on request confirmed by experiment. Loaded after all that Play waits for.

import type { Backend } from "../../src/backends/backend.ts";
import { auditProgram, conditions, summarise } from "../../src/program/audit.ts";
import { auditConfigured } from "../../src/training/audit-rule.ts";
import type { Config } from "../../src/training/config.ts";
import { configuredModel, recordConfigured, smallestPicture } from "../../src/training/configured-rule.ts";
import type { Audit } from "../messages.ts";

export function auditOf(config: Config): Audit {
  const shape = { ...smallestPicture(config), count: config.batch, classes: 10 };
  const { lessons } = recordConfigured(config, configuredModel(config), shape);
  const layers = lessons.flatMap(({ program }) => auditProgram(program).layers);
  const summary = Object.fromEntries(conditions.map((one) => [one, summarise(one, layers)])) as Audit["summary"];
  return { summary, layers };
}

/** What the interventions did not bear out. */
export async function disagreementsOf(config: Config, backend: Backend): Promise<string[]> {
  const { lessons } = await auditConfigured(config, backend);
  return lessons.flatMap(({ layers }) =>
    layers.flatMap(({ layer, disagreements }) => disagreements.map((text) => `${layer}: ${text}`)),
  );
}
