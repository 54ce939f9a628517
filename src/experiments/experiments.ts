// Every experiment of the paper, by the name that it has on the command line.

import type { Experiment } from "./experiment.ts";
import { figure2 } from "./figure2.ts";
import { figure5 } from "./figure5.ts";
import { figure6 } from "./figure6.ts";
import { figure7 } from "./figure7.ts";
import { tableC } from "./table-c.ts";
import { table1 } from "./table1.ts";
import { table2 } from "./table2.ts";

export const experiments: readonly Experiment[] = [table1, table2, tableC, figure2, figure5, figure6, figure7];
