// --plugin as a person meets it: files that are rules, files that are none, and runs that know which file they were trained by.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";

const folder = mkdtempSync(join(tmpdir(), "saccade-plugins-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function run(words: readonly string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: folder, encoding: "utf8" });
  return { code: status, stdout, stderr };
}

const saccade = (...words: string[]) => run([resolve("dist/cli/main.js"), ...words]);

const rule = (name: string, more = ""): string => `
import { carriedBy, createFeedback, recordErrorPath, type UpdatePlugin, z } from "saccade";

const schema = z.strictObject({ times: z.int().default(1) });

export default {
  kind: "update",
  name: "${name}",
  schema,
  create: () => ({
    name: "${name}",
    prepare: (learners) => {
      const { of, parameters } = createFeedback(learners);
      return {
        parameters,
        record: ({ record }, trace, signal) => recordErrorPath(record, trace, signal, carriedBy(of)),
      };
    },
  }),${more}
} satisfies UpdatePlugin<z.infer<typeof schema>>;
`;

test("a file is loaded from anywhere, by stripping its types; what is no plugin is told in a sentence", () => {
  write("good.ts", rule("Good"));
  // What `npm init` writes today.
  write("package.json", JSON.stringify({ name: "theirs", type: "commonjs" }));
  write(
    "plain.js",
    `import { randomStream } from "saccade";\nexport default { kind: "update", name: "Plain", create: () => randomStream };\n`,
  );
  write("unclosed.ts", "export default {\n  kind: ;\n};\n");
  write("unclosed.js", "export default {\n  kind: ;\n};\n");
  write("listed.ts", "enum A { b }\nexport default { kind: A.b };\n");
  write("silent.ts", "export const rule = 1;\n");
  write("thrown.ts", "const none: { a?: { b: number } } = {};\nexport default none.a!.b;\n");
  write("lost.ts", 'import { a } from "./nowhere.ts";\nexport default a;\n');
  write("wrong-name.ts", 'import { noSuchThing } from "saccade";\nexport default noSuchThing;\n');
  const manifest = { name: "their-rule", version: "1.2.3", type: "module", exports: "./lib/rule.js" };
  const packaged = 'export default { kind: "update", name: "Theirs", create() {} };\n';
  write("node_modules/their-rule/package.json", JSON.stringify(manifest));
  write("node_modules/their-rule/lib/rule.js", packaged);
  write("node_modules/untold/package.json", JSON.stringify({ ...manifest, name: "untold", exports: "./rule.ts" }));
  write("node_modules/untold/rule.ts", "const a: number = 1;\nexport default a;\n");
  const names = [
    ...["./good.ts", "plain.js", "their-rule", "./unclosed.ts", "./unclosed.js", "./listed.ts", "./silent.ts"],
    ...["./thrown.ts", "./lost.ts", "./wrong-name.ts", "./missing.ts", "untold", "no-such-package"],
  ];
  const loader = pathToFileURL(resolve("src/runs/plugins.ts")).href;
  const script = write(
    "load.mjs",
    `import { loadPlugins } from ${JSON.stringify(loader)};
const all = [];
for (const name of ${JSON.stringify(names)})
  all.push(await loadPlugins([name]).then(([{ name, source }]) => ({ name, source }), (error) => \`\${error.name}: \${error.message}\`));
console.log(JSON.stringify(all));
`,
  );
  const { stdout, stderr } = run([script]);
  const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
  const [good, plain, theirs, ...bad] = JSON.parse(stdout || `["${stderr}"]`);
  expect(good).toEqual({ name: "Good", source: { file: "good.ts", sha256: hash(rule("Good")) } });
  expect(plain.name).toBe("Plain");
  expect(theirs).toEqual({
    name: "Theirs",
    source: { file: "lib/rule.js", package: "their-rule@1.2.3", sha256: hash(packaged) },
  });
  expect(bad).toEqual([
    expect.stringMatching(/^SaccadeError: --plugin \.\/unclosed\.ts: cannot be parsed: .*[Ee]xpression expected/),
    "SaccadeError: --plugin ./unclosed.js: cannot be parsed: Unexpected token ';'",
    expect.stringMatching(/^SaccadeError: --plugin \.\/listed\.ts: has TypeScript that cannot be erased \(enum, /),
    expect.stringMatching(/^SaccadeError: \.\/silent\.ts: its default export must be a plugin, got none; write /),
    expect.stringMatching(
      /^SaccadeError: --plugin \.\/thrown\.ts: failed while it was loaded: thrown\.ts:2: Cannot read/,
    ),
    expect.stringMatching(/^SaccadeError: --plugin \.\/lost\.ts: imports what is not there: .*nowhere\.ts/),
    expect.stringMatching(/^SaccadeError: --plugin \.\/wrong-name\.ts: imports what is not there: .*noSuchThing/),
    "SaccadeError: --plugin ./missing.ts: there is no such file",
    expect.stringMatching(/^SaccadeError: --plugin untold: within node_modules Node runs JavaScript alone; /),
    expect.stringMatching(
      /^SaccadeError: --plugin no-such-package: no such package is installed in .*; a file is given by its path with its extension, as \.\/my-rule\.ts$/,
    ),
  ]);
});

test("the rule of docs/add-a-rule.md is what it claims, and carries whole weights down, not their signs alone", () => {
  const from = (file: string): string => JSON.stringify(pathToFileURL(resolve(file)).href);
  const script = write(
    "check.mjs",
    `import { referenceBackend } from ${from("src/backends/reference/backend.ts")};
import { checkPlugin } from ${from("src/conformance/check-plugin.ts")};
import { loadPlugins } from ${from("src/runs/plugins.ts")};
const [plugin] = await loadPlugins([${JSON.stringify(resolve("examples/right-sizes.ts"))}]);
const backends = { reference: referenceBackend, fast: () => referenceBackend };
const { checks } = await checkPlugin(plugin, backends, { only: ["written down", "identity", "audit"] });
console.log(JSON.stringify(checks.map(({ outcome, detail }) => outcome + ": " + detail)));
`,
  );
  const { stdout, stderr } = run([script]);
  expect(JSON.parse(stdout || `["${stderr}"]`)).toEqual([
    "passed: under E2E, GLL, RLL; every synapse has its change",
    expect.stringMatching(
      /^passed: with feedback = weights it is BP \(E2E\); with feedback of its own 4 of 5 changes are others$/,
    ),
    expect.stringMatching(
      /^passed: \(i\) pass, \(ii\) pass, \(iii\) fail, \(iv\) none; confirmed by intervention; as claimed/,
    ),
  ]);
});

test("a run knows its file: it goes on with that one alone, and is read without any", () => {
  write(
    "own.yaml",
    `name: own
data: { dataset: procedural-objects, limit: 8, size: 16 }
encoder: tiny
batch: 4
epochs: 1
update: Own
own: { times: 2 }
xrayEvery: 0
logs: { tensorboard: false }
`,
  );
  const file = write("own.ts", rule("Own"));
  // A configuration alone makes no file run.
  expect(saccade("train", "own.yaml")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('got "Own"; one of your own comes with --plugin FILE'),
  });
  const trained = saccade("train", "own.yaml", "--plugin", "./own.ts", "--threads", "1");
  expect(trained.code, trained.stderr).toBe(0);
  expect(trained.stdout).toMatch(/^plugin {3}update Own: own\.ts, SHA-256 [0-9a-f]{12}…$/m);
  const [name] = readdirSync(join(folder, "runs"));
  const path = join("runs", name);
  const sha256 = createHash("sha256").update(readFileSync(file)).digest("hex");
  expect(parse(readFileSync(join(folder, path, "config.yaml"), "utf8"))).toMatchObject({
    update: "Own",
    own: { times: 2 },
    plugins: { Own: { kind: "update", file: "own.ts", sha256 } },
  });
  const on = (...words: string[]) => saccade("train", "--resume", path, "epochs=2", "--threads", "1", ...words);
  expect(on().stderr).toContain(
    "update Own is a plugin, which is executed only if the command line names it; pass --plugin own.ts",
  );
  write("own.ts", `${rule("Own")}// Another file.\n`);
  expect(on("--plugin", "./own.ts")).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      new RegExp(
        `update Own must be the file with SHA-256 ${sha256.slice(0, 12)}…, got .* \\(own\\.ts\\); restore the file`,
      ),
    ),
  });
  write("moved/own-rule.ts", rule("Own"));
  expect(on("--plugin", "moved/own-rule.ts")).toMatchObject({ code: 0 });
  // A sweep's workers are other processes, to which a task comes as JSON.
  const pictures = "{ dataset: procedural-objects, limit: 8, size: 16 }";
  const probed = `probe={ train: ${pictures}, test: ${pictures} }`;
  const swept = ["sweep", "own.yaml", probed, "--plugin", "moved/own-rule.ts", "--only", "seed 0$", "--jobs", "1"];
  expect(saccade(...swept).code).toBe(0);
  const [result] = readdirSync(join(folder, "swept/own/results"));
  expect(JSON.parse(readFileSync(join(folder, "swept/own/results", result), "utf8"))).toMatchObject({
    kind: "train",
    value: { steps: 2 },
  });
  // Its encoder is anybody's.
  expect(saccade("export", path, "--to", "weights.safetensors")).toMatchObject({ code: 0, stderr: "" });
});
