// What --launcher slurm tells Slurm and makes of its answers, with scripts in the place of sbatch, squeue and sacct.

import { execFile, spawn } from "node:child_process";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

const main = resolve("dist/cli/main.js");
const folder = mkdtempSync(join(tmpdir(), "saccade-slurm-launcher-"));
const inFolder = (name: string): string => join(folder, name);
const words = ["reproduce", "table1", "--scale", "smoke", "--only", "RLL, (URF|BP), block", "--launcher", "slurm"];

const stub = (name: string, text: string): void =>
  writeFileSync(inFolder(`bin/${name}`), `#!/bin/sh\ncd ${folder}\n${text}\n`, { mode: 0o755 });

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  for (const name of ["bin", "calls", "empty"]) mkdirSync(inFolder(name), { recursive: true });
  queue();
  // Numbers are 101, 102, …; the words of each call are a file.
  stub("sbatch", `n=$((101 + $(ls calls | wc -l))); for word in "$@"; do echo "$word"; done > calls/$n; echo $n`);
  stub(
    "squeue",
    `for word in "$@"; do case $word in --jobs=*) jobs=\${word#--jobs=};; esac; done
for job in $(echo $jobs | tr , ' '); do grep "^$job|" queue; done > found
[ -s found ] || { echo "slurm_load_jobs error: Invalid job id specified" >&2; exit 1; }
cat found`,
  );
  stub("sacct", `echo "Slurm accounting storage is disabled" >&2; exit 1`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What squeue will answer: lines of job|index|state|reason. */
function queue(...lines: string[]): void {
  writeFileSync(inFolder("queue"), lines.map((line) => `${line}\n`).join(""));
}

interface Ended {
  readonly code: number | null;
  readonly told: string;
}

function reproduce(more: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const options = {
    env: { ...process.env, PATH: `${inFolder("bin")}:${process.env.PATH}`, SACCADE_SIMD: "plain", ...env },
  };
  return new Promise((done) => {
    const child = execFile(
      process.execPath,
      [main, ...words, "--out", inFolder("out"), ...more],
      options,
      (_, __, told) => done({ code: child.exitCode, told }),
    );
  });
}

const called = (job: number): string[] =>
  readFileSync(inFolder(`calls/${job}`), "utf8")
    .trimEnd()
    .split("\n");
const oneLine = (text: string): string => text.replace(/\s+/g, " ");
/** What the array has in its folder. */
const keysOf = (job: number): string[] =>
  readFileSync(join(dirname(called(job).at(-1) ?? ""), "keys.txt"), "utf8")
    .trimEnd()
    .split("\n");

/** Two runs that failed, measurements that nothing came of, and those of the runs, which Slurm has cancelled or leaves standing. */
const allFailed = [
  ...["101|1|FAILED|NonZeroExitCode", "101|2|OUT_OF_MEMORY|OutOfMemory"],
  ...["102|1|TIMEOUT|TimeLimit", "102|2|CANCELLED|None"],
  ...["103|1|CANCELLED|DependencyNeverSatisfied", "103|2|PENDING|DependencyNeverSatisfied"],
];

describe("what is submitted", () => {
  test("is an array of runs, one of measurements that need none, and one whose jobs wait for their runs", async () => {
    queue(...allFailed);
    const options = "--partition=cpu  --time=04:00:00 --cpus-per-task=4";
    const { code, told } = await reproduce(["--slurm-options", options, "--jobs", "2", "--threads", "3"]);
    expect(readdirSync(inFolder("calls"))).toEqual(["101", "102", "103"]);
    const script = called(101).at(-1) ?? "";
    const own = dirname(script);
    expect(dirname(own)).toBe(inFolder("out/slurm"));
    const user = ["--parsable", "--partition=cpu", "--time=04:00:00", "--cpus-per-task=4"];
    expect(called(101)).toEqual([...user, "--array=1-2%2", `--output=${own}/%a.out`, script]);
    expect(called(102).slice(4, -2)).toEqual(["--array=1-2%2"]);
    expect(called(103).slice(4, -2)).toEqual([
      "--array=1-2%2",
      "--dependency=aftercorr:101",
      "--kill-on-invalid-dep=yes",
    ]);

    const planned = (key: string) => JSON.parse(readFileSync(inFolder(`out/tasks/${key}.json`), "utf8"));
    expect(keysOf(101).map((key) => planned(key).task.kind)).toEqual(["train", "train"]);
    expect(keysOf(102).map((key) => planned(key).task.kind)).toEqual(["audit", "audit"]);
    expect(keysOf(103).map((key) => planned(key).needs)).toEqual(keysOf(101));

    const text = readFileSync(script, "utf8");
    expect(text).toMatch(
      /^#SBATCH --job-name=saccade --ntasks=1 --cpus-per-task=3\n#SBATCH --requeue --open-mode=append --signal=TERM@120$/m,
    );
    expect(text).toMatch(/^export SACCADE_SIMD=plain$/m);
    expect(text).toContain(
      `${process.execPath} ${main} worker ${inFolder("out")} $keys --device wasm --threads "$SLURM_CPUS_PER_TASK"`,
    );
    expect(text).not.toContain("npx");
    expect(text).toContain("if [ $code -eq 143 ]; then");
    const measuring = readFileSync(called(102).at(-1) ?? "", "utf8");
    expect(measuring).toContain(`if [ $code -eq 143 ] && [ "\${SLURM_RESTART_COUNT:-0}" -lt 3 ]; then`);

    // Each failure with its reason; the measurements of a failed run are none of their own.
    expect(code).toBe(1);
    const failed = oneLine(told);
    expect(failed).toContain(
      "seed 0: job 101_1 has ended without a result (FAILED, NonZeroExitCode); it printed nothing into",
    );
    expect(failed).toContain("seed 0: job 101_2 has ended without a result (OUT_OF_MEMORY, OutOfMemory)");
    expect(failed).toContain("audit: job 102_1 has ended without a result (TIMEOUT, TimeLimit)");
    expect(told.match(/^not done: /gm)).toHaveLength(4);
    expect(existsSync(inFolder("out/report/report.json"))).toBe(true);
  });

  test("does what it says: the script trains the run of its line, and asks to be requeued when it is stopped", async () => {
    queue(...allFailed);
    await reproduce();
    const script = called(101).at(-1) ?? "";
    const job = (env: NodeJS.ProcessEnv, file = script): Promise<Ended> =>
      new Promise((done) => {
        const here = {
          PATH: `${inFolder("bin")}:${process.env.PATH}`,
          SLURM_ARRAY_JOB_ID: "101",
          SLURM_ARRAY_TASK_ID: "2",
          SLURM_CPUS_PER_TASK: "1",
        };
        const child = execFile("sh", [file], { env: { ...process.env, ...here, ...env } }, (_, told) =>
          done({ code: child.exitCode, told }),
        );
      });
    stub("scontrol", 'echo scontrol "$@"');
    stub("srun", "exit 143");
    expect(await job({})).toEqual({ code: 143, told: "scontrol requeue 101_2\n" });
    const measuring = called(102).at(-1) ?? "";
    expect((await job({ SLURM_RESTART_COUNT: "2" }, measuring)).told).toBe("scontrol requeue 101_2\n");
    expect(await job({ SLURM_RESTART_COUNT: "3" }, measuring)).toEqual({ code: 143, told: "" });
    stub("srun", 'shift 2; exec "$@"');
    const { code, told } = await job({});
    expect(code).toBe(0);
    expect(told).toMatch(/^table1: hinge, RLL, .*, block and 5 negatives, seed 0: \d+ %\n/);
    const [, key] = keysOf(101);
    expect(readdirSync(inFolder("out/results"))).toEqual([`${key}.json`]);
    // What has a result is not done again.
    expect(await job({})).toEqual({ code: 0, told: "" });
  });

  test("carries on: what failed is submitted again, a measurement of a finished run waits for none, and a dead job holds no run", async () => {
    queue(...allFailed);
    await reproduce();
    const [first, second] = keysOf(101);
    const measured = keysOf(103)[0];
    for (const [run, job] of [
      [first, "900"],
      [second, "901"],
    ]) {
      mkdirSync(inFolder(`out/runs/${run}/kept`), { recursive: true });
      writeFileSync(
        inFolder(`out/runs/${run}/kept/lock.json`),
        JSON.stringify({ pid: 1, host: "node7", started: "", job }),
      );
    }
    queue(
      "900|1|CANCELLED|None",
      "901|1|RUNNING|None",
      ...["104|1", "104|2", "105|1", "105|2", "106|1", "106|2"].map((job) => `${job}|FAILED|None`),
    );
    await reproduce();
    expect([keysOf(104), keysOf(106)]).toEqual([keysOf(101), keysOf(103)]);
    expect(existsSync(inFolder(`out/runs/${first}/kept/lock.json`))).toBe(false);
    expect(existsSync(inFolder(`out/runs/${second}/kept/lock.json`))).toBe(true);

    // As if the first run had been trained since.
    for (const name of ["results", "encoders"]) mkdirSync(inFolder(`out/${name}`));
    const outcome = { key: first, kind: "train", title: "", value: {}, seconds: 1 };
    writeFileSync(inFolder(`out/results/${first}.json`), JSON.stringify(outcome));
    writeFileSync(inFolder(`out/encoders/${first}.safetensors`), "");
    queue(...["107|1", "108|1", "108|2", "108|3", "109|1"].map((job) => `${job}|FAILED|None`));
    await reproduce();
    expect(keysOf(107)).toEqual([second]);
    expect(keysOf(108)).toContain(measured);
    expect(called(109)).toContain("--dependency=aftercorr:107");
  });
});

test("a command that is interrupted leaves its jobs in the queue; the next one waits for them and submits what is not there", async () => {
  queue(
    "101|1|RUNNING|None",
    "101|2|PENDING|PartitionTimeLimit",
    "102|1|RUNNING|None",
    "102|2|RUNNING|None",
    "103|1|PENDING|Dependency",
  );
  const env = { ...process.env, PATH: `${inFolder("bin")}:${process.env.PATH}`, SACCADE_SIMD: "plain" };
  const interrupted = (until: string): Promise<Ended> =>
    new Promise((done) => {
      const child = spawn(process.execPath, [main, ...words, "--out", inFolder("out")], { env });
      let told = "";
      child.stderr.on("data", (bytes) => {
        told += bytes;
        if (told.includes(until) && !child.killed) child.kill("SIGINT");
      });
      child.on("close", (code) => done({ code, told }));
    });
  const { code, told } = await interrupted("PartitionTimeLimit");
  expect(code).toBe(130);
  expect(told).toContain("Slurm lets jobs wait: PartitionTimeLimit\n");
  expect(oneLine(told)).toContain(
    "6 tasks stay with Slurm, in 101, 102, 103; the same command waits for them again, scancel 101 102 103 cancels them",
  );

  const again = await interrupted("job array 104");
  expect(again.told).toContain("5 of the tasks are in Slurm's queue already\n");
  // The one measurement that squeue does not know, in the line of its run, which another array has.
  expect(readdirSync(inFolder("calls"))).toEqual(["101", "102", "103", "104"]);
  expect(called(104)).toContain("--array=2");
  expect(called(104)).toContain("--dependency=aftercorr:101");
  expect(keysOf(104)).toEqual(["", keysOf(103)[1]]);
});

test("inside of a job Slurm's variables of that job do not reach sbatch", async () => {
  queue(...allFailed);
  stub("sbatch", `env | grep ^SLURM_ > seen; echo 101`);
  await reproduce([], { SLURM_JOB_ID: "7", SLURM_CPUS_PER_TASK: "9", SLURM_CONF: "/somewhere" });
  expect(readFileSync(inFolder("seen"), "utf8")).toBe("SLURM_CONF=/somewhere\n");
});

describe("refusals", () => {
  const refused = async (
    wanted: string | RegExp,
    more: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<void> => {
    const { code, told } = await reproduce(more, env);
    if (typeof wanted === "string") expect(oneLine(told)).toContain(wanted);
    else expect(oneLine(told)).toMatch(wanted);
    expect(code).toBe(1);
    expect(globSync(inFolder("out/slurm/*"))).toEqual([]);
  };

  test("no sbatch", () =>
    refused(
      "--launcher slurm: sbatch is not on the PATH; start this on a machine of the cluster that submits jobs, or take --launcher local",
      [],
      { PATH: inFolder("empty") },
    ));

  test("sbatch's own, in its words", async () => {
    stub("sbatch", 'echo "sbatch: error: invalid partition specified: cpu" >&2; exit 1');
    await refused(
      "--launcher slurm: sbatch refuses the jobs: sbatch: error: invalid partition specified: cpu; give what your cluster requires, such as a partition or a time, in --slurm-options",
    );
  });

  test("of an array after the first, with what is in the queue by then", async () => {
    stub("sbatch", 'if [ -e once ]; then echo "QOSMaxSubmitJobPerUserLimit" >&2; exit 1; fi; touch once; echo 101');
    const { code, told } = await reproduce();
    expect(code).toBe(1);
    expect(oneLine(told)).toMatch(
      /QOSMaxSubmitJobPerUserLimit; .*; in the queue are 101, for which the same command will wait/,
    );
    expect(globSync(inFolder("out/slurm/*"))).toHaveLength(1);
  });

  test("options that are the launcher's own, or quoted, or without it", async () => {
    await refused("--slurm-options must be words without quotes, got --comment='a b'", [
      "--slurm-options",
      "--comment='a b'",
    ]);
    await refused("--slurm-options must be without array, output, error, wrap, test-only and wait, got -o", [
      "--slurm-options",
      "-p cpu -o x",
    ]);
    await refused("reproduce: --slurm-options must be with --launcher slurm, got --launcher local", [
      "--launcher",
      "local",
      "--slurm-options",
      "-p cpu",
    ]);
  });

  test("squeue that does not say whether tasks are in the queue: nothing is submitted twice", async () => {
    queue(...allFailed);
    await reproduce();
    stub("squeue", 'echo "squeue: error: Unable to contact slurm controller" >&2; exit 1');
    const { code, told } = await reproduce();
    expect(code).toBe(1);
    expect(oneLine(told)).toContain(
      "squeue does not answer: squeue: error: Unable to contact slurm controller; try again later",
    );
    expect(readdirSync(inFolder("calls"))).toHaveLength(3);
  });
});
