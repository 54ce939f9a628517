// examples/my-rule as a stranger has it: copied out of the checkout, beside the packed tarball. No network: the tarball is unpacked into
// node_modules, where links to the checkout's packages stand for those that npm would install.

import { execFileSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
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
  const link = (name: string): void => {
    mkdirSync(dirname(join(packages, name)), { recursive: true });
    symlinkSync(resolve("node_modules", name), join(packages, name));
  };
  for (const name of readdirSync("node_modules"))
    if (!name.startsWith("@") && !name.startsWith(".")) link(name);
    else if (name.startsWith("@")) for (const own of readdirSync(join("node_modules", name))) link(join(name, own));
  expect(run(process.execPath, "node_modules/typescript/bin/tsc", "-p", ".")).toBe("");
  expect(run(process.execPath, "--test", "--test-reporter=tap", "test/weight-mirror.test.ts")).toMatch(/^# pass 2$/m);
});
