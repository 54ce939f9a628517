// `npm run bench`: measures, prints one table, and writes one JSON file. It never judges; it fails only where a result is wrong.

import { spawnSync } from "node:child_process";
import { loadavg } from "node:os";
import { basename, dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, CommanderError, Option } from "commander";
import { formatTable } from "../src/cli/table.ts";
import { svgToPng } from "../src/figures/png.ts";
import { writeFigure } from "../src/figures/write-figure.ts";
import { writeWhole } from "../src/files/files.ts";
import { formatBytes } from "../src/program/explain.ts";
import { environment } from "../src/runs/environment.ts";
import { type BenchDevice, mostThreads as threads, wasmDevice, webgpuDevice } from "./device.ts";
import { type LayerTime, type Limits, measureLayers, measureLimits } from "./layers.ts";
import type { Timing } from "./measure.ts";
import { type FeedingTime, measureFeeding, measurePeers, type PeerTime, torchVersions } from "./peers.ts";
import { measureProcess, type ProcessCosts } from "./process.ts";
import { roofline } from "./roofline.ts";
import { measureStep, type StepTime } from "./steps.ts";
import { type BenchNetwork, benchNetworks, nameOf, stepCases } from "./workloads.ts";

const parts = ["layers", "steps", "pytorch", "feeding", "process"] as const;
type Part = (typeof parts)[number];

interface Results {
  layers?: { readonly limits: Limits; readonly times: readonly LayerTime[] };
  steps?: readonly StepTime[];
  pytorch?: readonly PeerTime[];
  feeding?: FeedingTime;
  process?: ProcessCosts;
}

/** A load average, in programs that want a core, from which on times are disturbed. */
const highLoad = 0.5;

const say = (line: string): boolean => process.stderr.write(`${line}\n`);

interface Options {
  readonly only: readonly Part[];
  readonly networks: readonly BenchNetwork[];
  readonly device: BenchDevice["name"];
  readonly quick?: boolean;
  readonly out?: string;
}

function readOptions(): Options {
  const command = new Command("bench")
    .description("Measures Saccade on this machine: one table, one JSON file.")
    .option("--only <parts>", `some of ${parts.join(",")}`, parts.join(","))
    .option("--networks <names>", `some of ${benchNetworks.join(",")}`, benchNetworks.join(","))
    .addOption(
      new Option("--device <name>", "what is measured").choices(["wasm", "webgpu"] as const).default("wasm" as const),
    )
    .option("--quick", "small batches and few iterations: shows that everything runs, says nothing about speed")
    .option("--out <file>", "where the JSON goes, and beside it the roofline (default: runs/bench/DATE.json)")
    .exitOverride();
  command.parse();
  const { only, networks, ...rest } = command.opts<
    Omit<Options, "only" | "networks"> & Record<"only" | "networks", string>
  >();
  const some = <T extends string>(option: string, text: string, all: readonly T[]): T[] => {
    const chosen = text.split(",");
    const unknown = chosen.find((name) => !(all as readonly string[]).includes(name));
    if (unknown !== undefined) command.error(`${option}: must be some of ${all.join(",")}, got "${unknown}"`);
    return all.filter((name) => chosen.includes(name));
  };
  return { only: some("--only", only, parts), networks: some("--networks", networks, benchNetworks), ...rest };
}

async function bench({ only, networks, device: name, quick = false, out }: Options): Promise<void> {
  const built = spawnSync(process.execPath, [fileURLToPath(new URL("../tools/prepare.mjs", import.meta.url))], {
    stdio: ["ignore", 2, 2],
  });
  if (built.status !== 0) throw new Error("the build failed; npm run build says more");

  const started = new Date();
  const path = out ?? `runs/bench/${started.toISOString().slice(0, 19).replace("T", "_").replaceAll(":", "-")}.json`;
  const device = name === "webgpu" ? await webgpuDevice(quick) : wasmDevice;
  const backend = await device.open(threads);
  const torch = torchVersions(device);
  const [load] = loadavg();
  const machine = { ...environment(backend), ...torch, loadAverage: load, quick, date: started.toISOString() };
  process.stdout.write(
    [
      `${machine.processor}, ${machine.cores} cores, ${formatBytes(machine.memoryBytes)}, ${machine.platform}`,
      `saccade ${machine.saccade} (${machine.commit ?? "no commit"}), node ${machine.node}, V8 ${machine.v8}; ${name}: ${backend.description}`,
      "missing" in torch
        ? `PyTorch is skipped: ${torch.missing}`
        : `torch ${torch.torch}, torchvision ${torch.torchvision}`,
      ...(load > highLoad
        ? [`Load average ${load.toFixed(1)}: other programs are running, and every time below is disturbed.`]
        : []),
      ...(quick ? ["Quick: small batches, few iterations. These times say nothing about speed."] : []),
      "",
    ].join("\n"),
  );

  const results: Results = {};
  for (const part of only) {
    if ((part === "pytorch" || part === "feeding") && "missing" in torch) continue;
    // Of the command line, which starts on the CPU.
    if (part === "process" && name === "webgpu") continue;
    say(`${part} …`);
    await measurePart(device, part, networks, results, quick);
    await writeWhole(path, `${JSON.stringify({ machine, ...results }, null, 1)}\n`);
  }
  say("");
  const rows = tableRows(results, device);
  process.stdout.write(
    `\n${formatTable([["part", "what", "threads", "median", "least", "rate", "beside"], ...rows])}\n\n`,
  );
  if (results.layers)
    process.stdout.write(
      name === "webgpu"
        ? "The limits are the backend's own matrix product and sum of two arrays.\n"
        : "Convolutions count the FLOP of their direct form: Winograd's form multiplies up to 4 times less, so it may pass the limit, as\n" +
            "may small stages whose numbers stay in the cache.\n",
    );
  process.stdout.write(`${path}\n`);
  if (results.layers) {
    const { limits, times } = results.layers;
    const svg = await roofline(times, limits, device.hardware ?? `${machine.processor}, ${threads} threads`);
    const name = `${basename(path, ".json")}-roofline`;
    await writeFigure(dirname(path), name, svg, await svgToPng(svg));
    process.stdout.write(`${dirname(path)}/${name}.png\n`);
  }
  say(`${((Date.now() - started.getTime()) / 1000).toFixed(0)} s`);
}

async function measurePart(
  device: BenchDevice,
  part: Part,
  networks: readonly BenchNetwork[],
  results: Results,
  quick: boolean,
): Promise<void> {
  switch (part) {
    case "layers": {
      const limits = await measureLimits(device, threads, quick ? 3 : 15);
      const times: LayerTime[] = [];
      for (const network of networks) {
        say(`  ${network}`);
        times.push(...(await measureLayers(device, network, quick, threads)));
      }
      results.layers = { limits, times };
      break;
    }
    case "steps": {
      const times: StepTime[] = [];
      for (const step of stepCases.filter(({ network }) => networks.includes(network))) {
        say(`  ${nameOf(step)}`);
        times.push(...(await measureStep(device, step, quick)));
      }
      results.steps = times;
      break;
    }
    case "pytorch":
      results.pytorch = await measurePeers(device, networks, threads, quick, (name) => say(`  ${name}`));
      break;
    case "feeding":
      results.feeding = await measureFeeding(device, threads, quick);
      break;
    case "process":
      results.process = await measureProcess(quick);
      break;
    default:
      part satisfies never;
  }
}

const milliseconds = (seconds: number): string => {
  const value = 1000 * seconds;
  return `${value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3)} ms`;
};
const times = ({ median, least }: Timing): [string, string] => [milliseconds(median), milliseconds(least)];
const perSecond = (value: number, unit: string): string =>
  `${value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3)} ${unit}/s`;
const ratio = (value: number): string => `${value.toFixed(2)} ×`;

function tableRows({ layers, steps, pytorch, feeding, process: costs }: Results, { name }: BenchDevice): string[][] {
  const rows: string[][] = [];
  /** A GPU has none of ours. */
  const onThreads = (count: number): string => (name === "webgpu" ? "" : `${count}`);
  if (layers) {
    const { flopsPerSecond, bytesPerSecond } = layers.limits;
    rows.push([
      "limit",
      name === "webgpu" ? "product" : "product in the cache",
      onThreads(threads),
      "",
      "",
      perSecond(flopsPerSecond / 1e9, "GFLOP"),
      "",
    ]);
    rows.push(["limit", "memory", onThreads(threads), "", "", perSecond(bytesPerSecond / 1e9, "GB"), ""]);
    for (const { network, stage, flops, bytes, time } of layers.times) {
      const rate = flops / time.median;
      const limit = Math.min(flopsPerSecond, (bytesPerSecond * flops) / bytes);
      const share = `${Math.round((100 * rate) / limit)} % of limit`;
      rows.push([
        "layer",
        `${network} ${stage}`,
        onThreads(threads),
        ...times(time),
        perSecond(rate / 1e9, "GFLOP"),
        share,
      ]);
    }
  }
  for (const step of steps ?? []) {
    const { batch, threads: count, time, engineBytes } = step;
    const rate = perSecond(batch / time.median, "images");
    rows.push([
      "step",
      `${nameOf(step)}, ${batch} images`,
      onThreads(count),
      ...times(time),
      rate,
      formatBytes(engineBytes),
    ]);
  }
  for (const { step, batch, threads: count, saccade, torch } of pytorch ?? []) {
    const what = `${nameOf(step)}, ${batch} images:`;
    const rate = (time: Timing): string => perSecond(batch / time.median, "images");
    rows.push(["peer", `${what} Saccade`, onThreads(count), ...times(saccade), rate(saccade), "with augmentation"]);
    for (const [mode, time] of Object.entries(torch)) {
      if ("failed" in time)
        rows.push(["peer", `${what} PyTorch ${mode}`, onThreads(count), "", "", "", time.failed.slice(0, 60)]);
      else {
        const beside = `Saccade ${ratio(time.median / saccade.median)}`;
        rows.push(["peer", `${what} PyTorch ${mode}`, onThreads(count), ...times(time), rate(time), beside]);
      }
    }
  }
  if (feeding) {
    const { batch, batches, threads: count, workers, saccade, torch } = feeding;
    const what = `cifar, ${batches} × ${batch} images:`;
    const line = (name: string, { imagesPerSecond, time }: FeedingTime["torch"], beside: string): string[] => [
      ...["feeding", `${what} ${name}`, onThreads(count), ...times(time)],
      ...[perSecond(imagesPerSecond, "images"), beside],
    ];
    rows.push(line("Saccade", saccade, ""));
    rows.push(
      line(`PyTorch, ${workers} workers`, torch, `Saccade ${ratio(saccade.imagesPerSecond / torch.imagesPerSecond)}`),
    );
  }
  if (costs) {
    const { memory, help, firstStep } = costs;
    const engine = `engine ${formatBytes(memory.engineBytes)}`;
    rows.push([
      "process",
      `peak memory, cifar, ${memory.batch} images`,
      `${threads}`,
      "",
      "",
      formatBytes(memory.peakBytes),
      engine,
    ]);
    rows.push(["process", "saccade --help", "", ...times(help), "", ""]);
    rows.push(["process", "saccade train to the first step", "", ...times(firstStep), "", ""]);
  }
  return rows;
}

try {
  await bench(readOptions());
} catch (error) {
  if (!(error instanceof CommanderError)) process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : 1;
}
