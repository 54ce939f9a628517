// Trains in the lab's page in Chromium for an hour and says whether anything grows: memory of the page and its workers, the renderer, the document.
//
//     node tools/lab-soak.ts [--minutes 60] [--out records/2026-11-28_lab-soak]
//
// The page is the built one, with its own configuration and many epochs, so that curves, pictures, read-outs and X-ray go on all the time. Ctrl-C
// ends it early, with the report of what was done.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { writeWhole } from "../src/files/files.ts";
import { formatBytes } from "../src/program/explain.ts";
import { builtLab } from "../tests/support/built-lab.ts";
import { base } from "../web/configuration.ts";
import { toHash } from "../web/share.ts";
import { type Growth, growth } from "./growth.ts";

declare global {
  interface Performance {
    /** Of Chromium, where a page is isolated: bytes after a garbage collection, workers and their WebAssembly included. */
    measureUserAgentSpecificMemory(): Promise<{ readonly bytes: number }>;
  }
}

/** One look at the page; memory in bytes. */
interface Sample {
  readonly minutes: number;
  readonly step: number;
  /** Of scripts: the page and its workers. */
  readonly scripts: number;
  /** Resident, of the process that has the page. */
  readonly resident: number;
  readonly nodes: number;
  readonly listeners: number;
}

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    out: { type: "string", default: "records/2026-11-28_lab-soak" },
  },
});
const minutes = Number(values.minutes);
const program = execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();

const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

const lab = await builtLab("lab-soak");
const browser = await chromium.launch({ executablePath: program, handleSIGINT: false });
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.setDefaultTimeout(300_000);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  const devtools = await page.context().newCDPSession(page);
  const whole = await browser.newBrowserCDPSession();
  await devtools.send("Performance.enable");

  const look = async (began: number): Promise<Sample> => {
    const scripts = await page.evaluate(async () => (await performance.measureUserAgentSpecificMemory()).bytes);
    const { metrics } = await devtools.send("Performance.getMetrics");
    const metric = (name: string): number => metrics.find((one) => one.name === name)?.value ?? Number.NaN;
    const { processInfo } = await whole.send("SystemInfo.getProcessInfo");
    const renderers = processInfo.filter(({ type }) => type === "renderer");
    return {
      minutes: (performance.now() - began) / 60_000,
      step: Number((await page.locator(".where b").textContent())?.replaceAll(",", "")),
      scripts,
      resident: renderers.reduce((sum, { id }) => sum + residentOf(id), 0),
      nodes: metric("Nodes"),
      listeners: metric("JSEventListeners"),
    };
  };

  await page.goto(lab.address + toHash({ ...base, epochs: 20_000 }));
  await page.locator("button.play:not([disabled])").first().click();
  const began = performance.now();
  const samples: Sample[] = [];
  while (performance.now() - began < minutes * 60_000 && !stop.signal.aborted) {
    await setTimeout(5000, undefined, { signal: stop.signal }).catch(() => {});
    samples.push(await look(began));
    const { step, scripts, resident } = samples[samples.length - 1];
    process.stderr.write(`step ${step}: scripts ${formatBytes(scripts)}, resident ${formatBytes(resident)}\n`);
  }
  const lastHalf = Object.fromEntries(
    (["scripts", "resident", "nodes", "listeners"] as const).map((key): [string, Growth] => [
      key,
      growth(
        samples,
        (one) => one.minutes,
        (one) => one[key],
      ),
    ]),
  );
  const report = { browser: browser.version(), complaints, lastHalfPerMinute: lastHalf, samples };
  await writeWhole(join(values.out, "soak.json"), `${JSON.stringify(report, null, 1)}\n`);
  process.stdout.write(`${JSON.stringify({ ...report, samples: samples.length }, null, 2)}\n`);
} finally {
  await browser.close();
  await lab.close();
}

function residentOf(pid: number): number {
  const [, kibi = "NaN"] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return 1024 * Number(kibi);
}
