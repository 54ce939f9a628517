// What tools/gpu-bundle.ts packs is enough for a machine that has a driver and nothing else: Node, the packages, Dawn and the build.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { webgpuObstacle } from "../support/webgpu.ts";

const bare = mkdtempSync(join(tmpdir(), "saccade-gpu-bundle-"));
afterAll(() => rmSync(bare, { recursive: true, force: true }));

const here = webgpuObstacle === undefined && process.platform === "linux" && process.arch === "x64";

test.skipIf(!here)(
  `unpacked elsewhere, it finds the GPU and starts the tests${here ? "" : " (skipped: no WebGPU)"}`,
  {
    timeout: 300_000,
  },
  () => {
    execFileSync(process.execPath, ["tools/gpu-bundle.ts", "--out", join(bare, ".gpu"), "--fast"], { stdio: "ignore" });
    execFileSync("tar", ["-xJf", ".gpu/bundle.tar.xz"], { cwd: bare });
    copyFileSync("package.json", join(bare, "package.json"));
    const { VK_DRIVER_FILES = "" } = process.env;
    const inBare = (...words: string[]): string =>
      execFileSync(join(bare, "node_modules/node/bin/node"), words, {
        cwd: bare,
        encoding: "utf8",
        env: { PATH: "/usr/bin:/bin", XDG_RUNTIME_DIR: tmpdir(), VK_DRIVER_FILES, LP_NUM_THREADS: "1" },
        stdio: ["ignore", "pipe", "ignore"],
      });
    const { devices } = JSON.parse(inBare("dist/cli/main.js", "devices", "--json"));
    expect(devices).toContainEqual(expect.objectContaining({ name: "webgpu", adapter: expect.anything() }));
    expect(inBare("node_modules/vitest/vitest.mjs", "--version")).toMatch(/^vitest\/\d/);
  },
);
