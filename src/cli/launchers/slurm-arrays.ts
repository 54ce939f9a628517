// Job arrays in the store's folder: slurm/<date>_<letters>/ has a list of task keys, the script that does one line of it, what each job printed,
// and the number that Slurm gave it.

import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { readText, shellWord, writeWhole } from "../../files/files.ts";
import { fromAnywhere } from "../../runs/plugins.ts";
import { takesThreads } from "../device-names.ts";
import { commandLine } from "./launcher.ts";
import { sbatch } from "./slurm-commands.ts";

export interface JobArray {
  /** Slurm's number of it. */
  readonly job: string;
  readonly folder: string;
  /** Keys of the tasks of each job, one after another; those of the job with index i (from 1) stand at i − 1. An index without keys has no job. */
  readonly lines: readonly (readonly string[])[];
}

export interface ArrayOptions {
  readonly device: string;
  /** Threads of a job, where the user does not ask Slurm for others. */
  readonly threads: number;
  readonly plugin: readonly string[];
  /** Environment that is the same for all jobs, whatever Slurm passes on. */
  readonly environment: Readonly<Record<string, string>>;
  /** Jobs of the array that run at once. */
  readonly atOnce: number | undefined;
  /** The user's words for sbatch. */
  readonly words: readonly string[];
  /** How often a job that is stopped goes back into the queue; undefined: as often as it is. */
  readonly requeues: number | undefined;
  /** Each job waits until that of the same index in this array has ended well. */
  readonly after?: string;
}

const listFile = "keys.txt";
const scriptFile = "job.sh";
const numberFile = "job";

/** What the job with an index printed, from all its starts. */
export const outputOf = ({ folder }: JobArray, index: number): string => join(folder, `${index}.out`);

/** Arrays that were submitted for this store, the oldest first. */
export function readArrays(store: string): JobArray[] {
  const root = join(store, "slurm");
  if (!existsSync(root)) return [];
  return readdirSync(root)
    .sort()
    .map((name) => join(root, name))
    .filter((folder) => existsSync(join(folder, numberFile)))
    .map((folder) => ({
      job: readText(join(folder, numberFile)).trim(),
      folder,
      lines: readText(join(folder, listFile))
        .replace(/\n$/, "")
        .split("\n")
        .map((line) => line.split(" ").filter((key) => key !== "")),
    }));
}

/** Writes an array into the store's folder and puts it into the queue; where Slurm refuses it nothing is left. */
export async function submitArray(
  store: string,
  lines: readonly (readonly string[])[],
  options: ArrayOptions,
): Promise<JobArray> {
  const date = new Date().toISOString().slice(0, 19).replace("T", "_").replaceAll(":", "-");
  const folder = join(resolve(store), "slurm", `${date}_${randomBytes(3).toString("hex")}`);
  try {
    await writeWhole(join(folder, listFile), lines.map((keys) => `${keys.join(" ")}\n`).join(""));
    await writeWhole(join(folder, scriptFile), scriptOf(resolve(store), folder, options));
    const job = await sbatch([...options.words, ...wordsOf(folder, lines, options), join(folder, scriptFile)]);
    await writeWhole(join(folder, numberFile), `${job}\n`);
    return { job, folder, lines };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** What sbatch is told beside the user's words, which stand before: of an option that is there twice it takes the last. */
function wordsOf(folder: string, lines: readonly (readonly string[])[], { atOnce, after }: ArrayOptions): string[] {
  const indices = lines.flatMap((keys, i) => (keys.length > 0 ? [i + 1] : []));
  const [first, last] = [indices[0], indices[indices.length - 1]];
  const range = indices.length > 1 && last - first + 1 === indices.length ? `${first}-${last}` : indices.join(",");
  return [
    `--array=${range}${atOnce === undefined ? "" : `%${atOnce}`}`,
    // A job whose run has failed is cancelled; else it would wait for ever.
    ...(after === undefined ? [] : [`--dependency=aftercorr:${after}`, "--kill-on-invalid-dep=yes"]),
    // Per cent signs of a folder's own are doubled: Slurm reads them.
    `--output=${folder.replaceAll("%", "%%")}/%a.out`,
  ];
}

function scriptOf(
  store: string,
  folder: string,
  { device, threads, plugin, environment, requeues }: ArrayOptions,
): string {
  const node = [process.execPath, commandLine, "worker", store].map(shellWord).join(" ");
  const threaded = takesThreads(device) ? ' --threads "$SLURM_CPUS_PER_TASK"' : "";
  const plugins = fromAnywhere(plugin).map((name) => ` --plugin ${shellWord(name)}`);
  const again = requeues === undefined ? "" : ` && [ "\${SLURM_RESTART_COUNT:-0}" -lt ${requeues} ]`;
  return `#!/bin/sh
#SBATCH --job-name=saccade --ntasks=1 --cpus-per-task=${threads}
#SBATCH --requeue --open-mode=append --signal=TERM@120
${Object.entries(environment)
  .map(([name, value]) => `export ${name}=${shellWord(value)}\n`)
  .join("")}# Since Slurm 22.05 srun does not take it from the job.
export SRUN_CPUS_PER_TASK="$SLURM_CPUS_PER_TASK"
keys=$(sed -n "\${SLURM_ARRAY_TASK_ID}p" ${shellWord(join(folder, listFile))})
srun --ntasks=1 --export=ALL ${node} $keys --device ${device}${threaded}${plugins.join("")}
code=$?
if [ $code -eq 143 ]${again}; then
  scontrol requeue "\${SLURM_ARRAY_JOB_ID}_\${SLURM_ARRAY_TASK_ID}"
fi
exit $code
`;
}
