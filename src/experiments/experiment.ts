// What an experiment is: tasks that it asks a plan for, and a report that it makes of their results.

import type { Backend } from "../backends/backend.ts";
import type { Plan, Read } from "./plan.ts";
import type { ExperimentReport } from "./report.ts";
import type { Role, Study } from "./study.ts";

export type ExperimentPart = Pick<ExperimentReport, "text" | "tables" | "claims" | "figures" | "ledger" | "training">;

/** Makes the part of whatever results there are; a backend for pictures that are drawn of data alone. */
export type MakePart = (read: Read, backend: Backend) => Promise<ExperimentPart>;

export interface Experiment {
  /** As it is called on the command line. */
  readonly name: string;
  readonly title: string;
  /** The paper's datasets that it reads. */
  readonly roles: readonly Role[];
  /** Asks for its tasks; what comes back makes the report of whatever results there are. */
  readonly plan: (study: Study, plan: Plan) => Promise<MakePart>;
}
