// A run leaves the lab's page and comes back: as a zip that the command line resumes, over a reload, and by way of damaged and hostile files.

import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { unzipSync, zipSync } from "fflate";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../src/training/parse-config.ts";
import type { Raw } from "../../web/configuration.ts";
import { toHash } from "../../web/share.ts";
import { toYaml } from "../../web/yaml.ts";
import { lossesInNode, small } from "../support/built-lab.ts";
import { eventually, inChromium, losses, openLab, ready, skipped, stepped, violations } from "./chromium.ts";

const raw: Raw = { ...small, learning: "RLL", update: "KP", seed: 5 };
const root = mkdtempSync(join(tmpdir(), "saccade-lab-files-"));
const main = resolve("dist/cli/main.js");
const saccade = (...words: string[]): string =>
  execFileSync(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...words], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });

describe.skipIf(skipped)(inChromium, () => {
  const { folder, withPage } = openLab();
  /** Of the page after 23 of 90 steps. */
  let zip: Uint8Array = new Uint8Array();
  /** An undisturbed run of the command line. */
  let undisturbed = "";

  /** The package as it is installed, with the page that these tests have built. */
  const installed = join(root, "package");

  beforeAll(() => {
    for (const path of ["dist", "package.json"]) cpSync(path, join(installed, path), { recursive: true });
    symlinkSync(resolve("node_modules"), join(installed, "node_modules"));
    cpSync(folder(), join(installed, "build/lab"), { recursive: true });
    writeFileSync(join(root, "lab.yaml"), toYaml(raw));
    saccade("train", join(root, "lab.yaml"), "--runs", join(root, "runs"), "--no-probe", "--threads", "1");
    undisturbed = join(root, "runs", readdirSync(join(root, "runs"))[0]);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const where = async (page: Page): Promise<number> => Number(await page.locator(".where b").textContent());
  async function take(page: Page, steps: number): Promise<void> {
    for (let step = (await where(page)) + 1; step <= steps; step++) {
      await page.getByRole("button", { name: "Step" }).click();
      await stepped(page, step);
    }
  }
  async function exported(page: Page): Promise<Uint8Array> {
    await page.getByRole("button", { name: "Files" }).click();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Save as zip" }).click(),
    ]);
    return new Uint8Array(readFileSync(await download.path()));
  }
  async function openIn(page: Page, name: string, bytes: Uint8Array): Promise<void> {
    await page.getByRole("button", { name: "Files" }).click();
    await page
      .getByLabel("Run or checkpoint")
      .setInputFiles({ name, mimeType: "application/octet-stream", buffer: Buffer.from(bytes) });
  }
  function unpacked(bytes: Uint8Array, to: string): string {
    const files = Object.entries(unzipSync(bytes)).filter(([path]) => !path.endsWith("/"));
    for (const [path, content] of files) {
      mkdirSync(dirname(join(to, path)), { recursive: true });
      writeFileSync(join(to, path), content);
    }
    return join(to, files[0][0].split("/")[0]);
  }
  /** Lines of metrics; angles and chance bands come from the browser's own arc cosine, whose last bit need not be Node's. */
  const metricsOf = (run: string): unknown[] =>
    readFileSync(join(run, "metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) =>
        JSON.parse(line, (key, value) =>
          /^angle/.test(key) && typeof value === "number"
            ? value.toPrecision(12)
            : key === "chance"
              ? value.map((one: number) => one.toPrecision(12))
              : value,
        ),
      );
  const final = "checkpoints/step-00000090.safetensors";

  test("the zip of Export is a run's folder: shown, evaluated, exported, and resumed to the bytes of an undisturbed run", async () => {
    await withPage({ hash: toHash(raw) }, async (page) => {
      await ready(page);
      await take(page, 23);
      zip = await exported(page);
      expect(await violations(page)).toEqual([]);
    });
    const run = unpacked(zip, join(root, "unpacked"));
    expect(readdirSync(join(run, "figures")).sort()).toEqual(["accuracy.csv", "accuracy.svg", "loss.csv", "loss.svg"]);
    const table = readFileSync(join(run, "figures/loss.csv"), "utf8").trim().split("\n");
    const told = (await lossesInNode(parseConfig(raw, "test"), 23)).reverse();
    expect(table).toEqual(["step,loss", ...told.map((loss, i) => `${i + 1},${loss}`)]);
    expect(saccade("runs", "show", run)).toContain("23");
    saccade("export", run, "--to", join(root, "exported.safetensors"));
    saccade("train", "--resume", run, "--no-probe", "--threads", "1");
    expect(metricsOf(run)).toEqual(metricsOf(undisturbed));
    expect(readFileSync(join(run, final)).equals(readFileSync(join(undisturbed, final)))).toBe(true);
    expect(readFileSync(join(run, "data.json"))).toEqual(readFileSync(join(undisturbed, "data.json")));
    expect(readFileSync(join(run, "config.yaml"))).toEqual(readFileSync(join(undisturbed, "config.yaml")));
  });

  test("a reload in mid-run goes on where the last save was, to the bytes of an undisturbed run", async () => {
    await withPage({ hash: toHash(raw) }, async (page) => {
      await ready(page);
      await page.getByLabel("Pace").selectOption("10 steps a second");
      await page.getByRole("button", { name: "Play" }).click();
      await stepped(page, 7);
      await page.getByRole("button", { name: "Pause" }).click();
      await saves(page);
      await page.reload();
      const offer = page.getByRole("button", { name: /Continue from step/ });
      await offer.waitFor();
      expect(await violations(page)).toEqual([]);
      const at = Number(/\d+/.exec((await offer.textContent()) ?? "")?.[0]);
      expect(at).toBeGreaterThanOrEqual(7);
      await offer.click();
      await eventually(() => where(page)).toBe(at);
      await page.getByLabel("Pace").selectOption("as fast as it goes");
      await page.getByRole("button", { name: "Play" }).click();
      await page.getByText("of 90, done").waitFor();
      expect((await losses(page)).slice(0, 3)).toEqual((await lossesInNode(parseConfig(raw, "test"), 90)).slice(0, 3));
      const run = unpacked(await exported(page), join(root, "reloaded"));
      expect(readFileSync(join(run, final)).equals(readFileSync(join(undisturbed, final)))).toBe(true);
      expect(metricsOf(run)).toEqual(metricsOf(undisturbed));
    });
  });

  /** Waits until the browser holds a saved run. */
  const saves = (page: Page) =>
    eventually(() =>
      page.evaluate(async () => {
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("saccade-lab", {
          create: true,
        });
        let sum = 0;
        for await (const handle of folder.values())
          if (handle.kind === "file" && handle.name.endsWith(".zip") && (await handle.getFile()).size > 0) sum++;
        return sum;
      }),
    ).toBeGreaterThan(0);

  test("a damaged save is a sentence and a fresh start, and another tab's run is left alone", async () => {
    await withPage({ hash: toHash(raw) }, async (page) => {
      await ready(page);
      await take(page, 3);
      await page.getByLabel("Pace").selectOption("2 steps a second");
      await page.getByRole("button", { name: "Play" }).click();
      await page.getByRole("button", { name: "Pause" }).click();
      await saves(page);
      const other = await page.context().newPage();
      await other.goto(page.url());
      await ready(other);
      await take(other, 1);
      await other.waitForTimeout(2500);
      expect(await other.getByRole("button", { name: /Go on/ }).count()).toBe(0);
      await other.close();
      await page.evaluate(async () => {
        const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("saccade-lab");
        for await (const handle of folder.values()) {
          if (handle.kind !== "file") continue;
          const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
          bytes.fill(7, bytes.length / 2, bytes.length / 2 + 50);
          const stream = await handle.createWritable();
          await stream.write(bytes);
          await stream.close();
        }
      });
      await page.reload();
      await page.getByRole("alert").getByText("damaged, so this one starts from the beginning").waitFor();
      expect(await where(page)).toBe(0);
      await take(page, 1);
    });
  });

  test("a zip that is opened brings its configuration and goes on from its checkpoint", async () => {
    await withPage({ hash: "" }, async (page) => {
      await ready(page);
      await openIn(page, "run.zip", zip);
      await page.getByText("Continued from step 23.").waitFor();
      expect(new URL(page.url()).hash).toBe(toHash(raw));
      await take(page, 24);
      const [step24] = await lossesInNode(parseConfig(raw, "test"), 24);
      expect((await losses(page))[0]).toBe(step24);
    });
  });

  test("a zip that is dropped on the page is opened", async () => {
    await withPage({ hash: "" }, async (page) => {
      await ready(page);
      const transfer = await page.evaluateHandle((bytes) => {
        const dropped = new DataTransfer();
        dropped.items.add(new File([Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0))], "run.zip"));
        return dropped;
      }, Buffer.from(zip).toString("base64"));
      await page.locator(".saved").waitFor({ state: "attached" });
      await page.dispatchEvent("main", "drop", { dataTransfer: transfer });
      await page.getByText("Continued from step 23.").waitFor();
    });
  });

  test("saccade lab RUN opens a run of the command line, and one that the page cannot train is a sentence", async () => {
    const foreign = join(root, "foreign");
    cpSync(undisturbed, foreign, { recursive: true });
    const text = readFileSync(join(foreign, "config.yaml"), "utf8");
    writeFileSync(join(foreign, "config.yaml"), text.replace("epochs: 5", "epochs: 5000000"));
    for (const [run, sentence] of [
      [undisturbed, "Continued from step 90."],
      [foreign, "epochs are too many; saccade train can"],
    ] as const) {
      const served = spawn(process.execPath, [
        join(installed, "dist/cli/main.js"),
        "lab",
        run,
        "--no-open",
        "--port",
        "0",
        "--json",
      ]);
      try {
        const line = await new Promise<string>((told) => served.stdout.on("data", (bytes) => told(String(bytes))));
        await withPage({ hash: "", at: JSON.parse(line).address }, async (page) => {
          await page.getByText(sentence).waitFor();
          if (run !== undisturbed) return;
          await page.getByText("of 90, done").waitFor();
          expect(new URL(page.url()).search + new URL(page.url()).hash).toBe(toHash(raw));
        });
      } finally {
        served.kill();
      }
    }
  });

  test("hostile and foreign files are a sentence each, and the run is as it was", async () => {
    const files = unzipSync(zip);
    const [name] = Object.keys(files).filter((path) => path.endsWith("00000023.safetensors"));
    const lying = files[name].slice();
    new DataView(lying.buffer).setBigUint64(0, 2n ** 40n, true);
    const swollen = zipSync({
      "checkpoints/step-00000001.safetensors": new Uint8Array(2 ** 28),
      "config.yaml": new Uint8Array(1),
    });
    const config = new TextEncoder().encode(toYaml({ ...raw, seed: 6 }));
    const foreign = new TextEncoder().encode(toYaml({ ...raw, data: { dataset: "cifar-10" } }));
    const yaml = Object.keys(files).find((path) => path.endsWith("config.yaml")) ?? "";
    await withPage({ hash: toHash({ ...raw, seed: 9 }) }, async (page) => {
      await ready(page);
      await take(page, 2);
      for (const [file, bytes, sentence] of [
        ["a.zip", zipSync({ "../config.yaml": config }), "leads out of its folder"],
        ["a.zip", swollen, "unpacks to more than 256 MB"],
        ["a.zip", zip.slice(0, 3000), "is no sound zip"],
        ["a.zip", zipSync({ "readme.txt": config }), "holds no config.yaml"],
        ["a.zip", zipSync({ ...files, [yaml]: config }), "another configuration"],
        ["a.zip", zipSync({ "config.yaml": foreign }), "no dataset cifar-10"],
        ["a.safetensors", lying, "wanted a header of at most"],
        ["a.safetensors", files[name], "another configuration"],
        ["a.txt", config, "is neither the zip of a run’s folder nor"],
      ] as const) {
        await openIn(page, file, bytes);
        await page.getByRole("alert").getByText(sentence).waitFor();
        await page.locator(".saved").getByRole("button", { name: "Close" }).click();
      }
      expect(await where(page)).toBe(2);
      await take(page, 3);
    });
  });
});
