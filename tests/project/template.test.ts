// examples/my-rule as a stranger has it: copied out of the checkout, beside the packed tarball. No network: the tarball is unpacked into
// node_modules, where links to the checkout's packages stand for those that npm would install.

import { execFileSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(realpathSync(tmpdir()), "saccade-template-"));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (command: string, ...words: string[]): string =>
  execFileSync(command, words, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

test("a rule of one's own, outside the checkout, passes its tests and its types against the packed Saccade", () => {
  cpSync("examples/my-rule", folder, { recursive: true });
  const packages = join(folder, "node_modules");
  mkdirSync(join(packages, "saccade"), { recursive: true });
  // dist is what `npm run build` has made; packing would build it again.
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder]);
  const [tarball] = globSync("saccade-*.tgz", { cwd: folder });
  run("tar", "-xf", tarball, "-C", join(packages, "saccade"), "--strip-components=1");
  for (const name of readdirSync("node_modules"))
    if (!name.startsWith(".")) symlinkSync(resolve("node_modules", name), join(packages, name));
  expect(run(process.execPath, "node_modules/typescript-7/bin/tsc", "-p", ".")).toBe("");
  // Under this Node and, where .ci/run has fetched it, under the oldest that is supported.
  for (const node of [process.execPath, process.env.SACCADE_OLDEST_NODE ?? []].flat()) {
    expect(run(node, "--test", "--test-reporter=tap", "test/weight-mirror.test.ts")).toMatch(/^# pass 2$/m);
    const command = ["node_modules/saccade/dist/cli/main.js", "audit", "node_modules/saccade/configs/quickstart.yaml"];
    expect(run(node, ...command, "update=WM", "--plugin", "./weight-mirror.ts")).toContain("WM");
  }
});
