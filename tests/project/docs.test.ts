// What the pages quote: commands run, code is the code that stands in the file, links lead somewhere.

import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { parseValue } from "../../src/cli/options.ts";
import { override, parseConfig } from "../../src/training/parse-config.ts";

const pages = ["README.md", "CONTRIBUTING.md", ...globSync("docs/*.md")].map((path) => ({
  path,
  text: readFileSync(path, "utf8"),
}));

/** The words of a command line as a shell takes them; single quotes hold a word together. */
const shellWords = (line: string): string[] =>
  [...line.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ""));

/** tests/lab has them: a server that runs until it is stopped, and the file and the run that its page hands out. */
const ofTheLab = (words: readonly string[]): boolean =>
  words[0] === "lab" || words[1] === "lab.yaml" || words.some((word) => word.startsWith("saccade-lab-step-"));

/** Every quoted `npx saccade …`, without its comment. */
const commands = pages
  .flatMap(({ path, text }) =>
    [...text.matchAll(/^\s*npx saccade (.+?)(?:\s+#.*)?$/gm)].map(([, words]) => ({ path, words: shellWords(words) })),
  )
  .filter(({ words }) => !ofTheLab(words));

const run = (words: readonly string[]): string =>
  execFileSync(process.execPath, ["dist/cli/main.js", ...words], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });

describe("quoted commands", () => {
  test("are found", () => expect(commands.length).toBeGreaterThan(6));

  test.each(commands.filter(({ words }) => words[0] === "train"))("$path: train $words", ({ words }) => {
    const [, file, ...more] = words;
    const assignments = more.filter((word) => /^[\w.]+=/.test(word));
    const raw: unknown = parse(readFileSync(file, "utf8"));
    for (const assignment of assignments) override(raw, assignment, parseValue);
    const { data } = parseConfig(raw, file);
    // Real data may not be here; what is rendered is trained on for a moment.
    if (data.dataset !== "procedural-objects") return;
    const runs = mkdtempSync(join(tmpdir(), "saccade-docs-"));
    try {
      const short = ["data.limit=100", "epochs=1", "--no-probe", "--runs", runs];
      expect(run([...words, ...short])).toMatch(words.includes("--dry-run") ? /^time/m : /^trained/m);
    } finally {
      rmSync(runs, { recursive: true });
    }
  });

  const onRuns = ["export", "import", "probe", "robustness", "tsne", "inspect", "watch"];

  test("on runs, one after the other, on one of a moment's training", { timeout: 900_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), "saccade-docs-"));
    const inFolder = (words: readonly string[]): string =>
      execFileSync(process.execPath, [resolve("dist/cli/main.js"), ...words], {
        cwd: folder,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
    try {
      // Fewer pictures: what is tested is that the commands run.
      const probe = ["train.limit=200", "test.limit=120", "labelsPerClass=[10]", "epochs=5", "seeds=1"];
      const fewer = probe.map((assignment) => `probe.${assignment}`);
      const short = ["data.limit=100", "epochs=1", ...fewer, "--no-probe", "--json"];
      const { run: made } = JSON.parse(inFolder(["train", resolve("configs/quickstart.yaml"), ...short]));
      renameSync(join(folder, made), join(folder, "runs/mine"));
      const quoted = commands.filter(({ words }) => onRuns.includes(words[0]));
      expect(quoted.length).toBeGreaterThan(4);
      for (const { words } of quoted) expect(inFolder(words).length, words.join(" ")).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const fetches = ({ words }: { words: string[] }): boolean => words[0] === "data" && words[1] === "get";

  test.each(commands.filter(fetches))("$path: $words asks for a file", ({ words }) => {
    // No network: the command is told to look in a folder, and says what it would have fetched.
    const empty = mkdtempSync(join(tmpdir(), "saccade-docs-"));
    const env = { ...process.env, SACCADE_DATA: join(empty, "data") };
    const main = ["dist/cli/main.js", ...words, "--from", empty];
    const { stderr } = spawnSync(process.execPath, main, { env, encoding: "utf8" });
    rmSync(empty, { recursive: true });
    expect(stderr).toMatch(/^saccade: --from .*: must hold .* as published, got a folder without it\n$/);
  });

  // Under Slurm tests/experiments/slurm-reproduce.test.ts runs it.
  const elsewhere = ({ words }: { words: string[] }): boolean => words.includes("slurm");
  const others = commands.filter(
    (command) => !["train", ...onRuns].includes(command.words[0]) && !fetches(command) && !elsewhere(command),
  );
  test.each(others)("$path: $words", ({ words }) => {
    // tests/experiments/reproduce.test.ts runs them; here their tasks are planned.
    const planned = ["reproduce", "sweep"].includes(words[0]) && !words.includes("--list");
    expect(run(planned ? [...words, "--list"] : words).length).toBeGreaterThan(0);
  });
});

describe("the README's lines", () => {
  const readme = pages.find(({ path }) => path === "README.md")?.text ?? "";
  const [, code] = /```ts\n([\s\S]+?)```/.exec(readme) ?? [];

  function runLines(lines: string): string {
    mkdirSync("build", { recursive: true });
    const file = "build/readme-example.ts";
    writeFileSync(file, lines);
    return execFileSync(process.execPath, [file], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  }

  test("run", () => {
    // Fewer pictures: what is tested is that the lines hold.
    const short = code
      .replaceAll(/\b(2700|1000)\b/g, "200")
      .replace("epochs: 2", "epochs: 1")
      .replace("epochs: 100", "epochs: 2")
      .replace("[10, 100]", "[2, 10]");
    expect(short).not.toBe(code);
    const output = runLines(short);
    for (const word of ["paper", "scaleFree", "kNN", "trained"]) expect(output).toContain(word);
  });

  test("train and measure as npm start does", () => {
    const [settings] = code.split("const trainer");
    expect(settings).not.toBe(code);
    const told = JSON.parse(runLines(`${settings}process.stdout.write(JSON.stringify({ config, options }));`));
    const { probe, ...quickstart } = parseConfig(parse(readFileSync("configs/quickstart.yaml", "utf8")), "quickstart");
    expect(told.config).toEqual(quickstart);
    expect({ ...probe, ...told.options }).toEqual(probe);
    expect(code).toContain(`solids("train", ${probe?.train.limit}), await solids("test", ${probe?.test.limit})`);
  });
});

describe("docs/recipes.md", () => {
  const recipes = pages.find(({ path }) => path === "docs/recipes.md")?.text ?? "";
  /** What a row trains: the configuration's file and what is changed of it, without what does not change the outcome. */
  const trained = (words: readonly string[]): string =>
    words.filter((word, i) => !word.startsWith("--") && words[i - 1] !== "--resume").join(" ");
  const rows = new Map(
    [...recipes.matchAll(/^\| `saccade train (.+?)` \| (.+) \|$/gm)].map(([, words, cells]) => [
      trained(shellWords(words)),
      cells.split(" | "),
    ]),
  );

  test("has a row for every configuration", () => {
    const files = globSync("configs/*.yaml").map((file) => file.replaceAll("\\", "/"));
    expect(files.filter((file) => !rows.has(file))).toEqual([]);
  });

  test("has a row for every command that a page or the help tells its reader to train with", () => {
    const help = [...run(["train", "--help"]).matchAll(/^ {2}\$ saccade (train configs.+)$/gm)];
    expect(help.length).toBeGreaterThan(2);
    const all = [...commands.map(({ words }) => words), ...help.map(([, line]) => shellWords(line))];
    const told = all.filter(([command]) => command === "train").map((words) => trained(words.slice(1)));
    expect(told.filter((command) => !rows.has(command))).toEqual([]);
  });

  test("says of each what it reads beside the random encoder, under three read-outs, or that it was not run to its end", () => {
    for (const [command, cells] of rows)
      if (!cells[1].startsWith("not run to its end")) {
        const accuracies = cells.filter((cell) => /^\d+\.\d \(\d+\.\d\)$/.test(cell));
        expect(accuracies, command).toHaveLength(3);
      }
  });
});

test("code blocks that name a file are that file", () => {
  const blocks = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/`((?:src|examples)\/[\w/.-]+)`, all of it:\n\n```ts\n([\s\S]+?)```/g)].map(([, file, code]) => ({
      path,
      file,
      code,
    })),
  );
  expect(blocks.length).toBeGreaterThan(0);
  for (const { file, code } of blocks) expect(code, file).toBe(readFileSync(file, "utf8"));
});

test("links inside the repository lead to something", () => {
  const links = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => ({ path, target: join(dirname(path), target) })),
  );
  expect(links.length).toBeGreaterThan(5);
  expect(links.filter(({ target }) => !existsSync(target))).toEqual([]);
});

test("pages that the sources cite exist", () => {
  const cited = globSync("{src,tools,bench}/**/*.{ts,mjs,py}").flatMap((file) =>
    [...readFileSync(file, "utf8").matchAll(/[\w/.-]+\.md\b/g)].map(([page]) => ({ file, page })),
  );
  expect(cited.length).toBeGreaterThan(2);
  expect(cited.filter(({ page }) => ![page, join("docs", page)].some((path) => existsSync(path)))).toEqual([]);
});

test("the batch script on docs/cluster.md goes on after SIGTERM, when it is requeued", async () => {
  const page = readFileSync("docs/cluster.md", "utf8");
  const [, script] = /```sh\n(#!\/bin\/sh\n[\s\S]+?)```/.exec(page) ?? [];
  const folder = mkdtempSync(join(tmpdir(), "saccade-cluster-"));
  try {
    const stub = (name: string, text: string): void =>
      writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    // Slurm is not here: srun starts its command and says which process it is, scontrol says what it was told.
    stub("srun", `"$@" & echo $! > ${join(folder, "pid")}; wait $!`);
    stub("scontrol", `echo scontrol "$@"`);
    const job = (epochs: number, restarts: number): ChildProcess => {
      const words = `configs/quickstart.yaml data.limit=100 epochs=${epochs} --no-probe --runs ${join(folder, "runs")}`;
      const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, SLURM_JOB_ID: "77" };
      writeFileSync(join(folder, "job.sh"), script.replace("configs/quickstart.yaml", words));
      return spawn("sh", [join(folder, "job.sh")], { env: { ...env, SLURM_RESTART_COUNT: String(restarts) } });
    };
    const ended = (child: ChildProcess): Promise<string> => {
      let told = "";
      child.stdout?.on("data", (bytes) => (told += bytes));
      return new Promise((done) => child.on("close", () => done(told)));
    };
    const first = job(4, 0);
    first.stderr?.once("data", () => process.kill(Number(readFileSync(join(folder, "pid"), "utf8")), "SIGTERM"));
    expect(await ended(first)).toMatch(/^stopped {2}after \d+ steps?; [^\n]*\nscontrol requeue 77\n$/m);
    const second = await ended(job(4, 1));
    expect(second).toMatch(/^resume {3}from step \d+$/m);
    expect(second).toMatch(/^trained {2}\d+ steps? in .*, 8 in all; /m);
    expect(second).not.toContain("scontrol");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
