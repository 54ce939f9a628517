// Every experiment of the paper, by the name that it has on the command line.

import type { Experiment } from "./experiment.ts";
import { table1 } from "./table1.ts";

export const experiments: readonly Experiment[] = [table1];
