// Every experiment of the paper, by the name that it has on the command line.

import { dtpPairs } from "./dtp-pairs.ts";
import type { Experiment } from "./experiment.ts";
import { figure2 } from "./figure2.ts";
import { figure5 } from "./figure5.ts";
import { figure6 } from "./figure6.ts";
import { figure7 } from "./figure7.ts";
import { figure8 } from "./figure8.ts";
import { figure9 } from "./figure9.ts";
import { tableC } from "./table-c.ts";
import { table1 } from "./table1.ts";
import { table2 } from "./table2.ts";
import { table3 } from "./table3.ts";
import { table4 } from "./table4.ts";

export const experiments: readonly Experiment[] = [
  table1,
  dtpPairs,
  table2,
  table3,
  table4,
  tableC,
  figure2,
  figure5,
  figure6,
  figure7,
  figure8,
  figure9,
];
