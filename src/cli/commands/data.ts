// saccade data: what datasets there are and which are here, fetching them, checking them, and looking at their pictures.

import { existsSync, statSync } from "node:fs";
import http from "node:http";
import { join } from "node:path";
import { type RecipeName, recipes } from "../../data/deformations.ts";
import { nearest } from "../../data/nearest.ts";
import { type CheckedFile, checkDataset } from "../../datasets/check-dataset.ts";
import { defaultFolder } from "../../datasets/datasets.ts";
import { written } from "../../datasets/download.ts";
import { getDataset } from "../../datasets/get-dataset.ts";
import { type KnownDataset, knownDatasets } from "../../datasets/known-datasets.ts";
import { type Found, findDataset, sizeFault } from "../../datasets/on-disk.ts";
import { type Layout, sources } from "../../datasets/sources.ts";
import { drawDeformed } from "../../figures/robustness-figures.ts";
import { nearestFolder, writeWhole } from "../../files/files.ts";
import { makeFolders } from "../../files/folders.ts";
import { SaccadeError, wrong } from "../../program/errors.ts";
import { formatBytes } from "../../program/explain.ts";
import { contactSheet, firstViews } from "../../runs/data-figures.ts";
import { viewsFigure } from "../../runs/run-figures.ts";
import { lockRun } from "../../runs/run-lock.ts";
import { configuredModel } from "../../training/configured-rule.ts";
import { exitCodes } from "../exit-codes.ts";
import { loadShown } from "../load.ts";
import { type CommonOptions, openBackend, readConfig } from "../options.ts";
import { showProgress } from "../progress.ts";
import { catchSignals } from "../signals.ts";
import { formatTable, wrap } from "../table.ts";

interface DataOptions extends CommonOptions {
  readonly from?: string;
  readonly out: string;
  /** show: a recipe by which pictures are deformed. */
  readonly deform?: RecipeName;
}

export async function dataCommand(
  what: "list" | "get" | "check" | "show",
  name: string | undefined,
  overrides: readonly string[],
  options: DataOptions,
): Promise<number> {
  if (options.from !== undefined && what !== "get")
    throw wrong("data", "--from", "left out, except for get", `--from with ${what}`);
  if (options.deform !== undefined && what !== "show")
    throw wrong("data", "--deform", "left out, except for show", `--deform with ${what}`);
  if (overrides.length > 0 && what !== "show")
    throw wrong(`data ${what}`, "arguments", "one dataset", [name, ...overrides]);
  switch (what) {
    case "list":
      return list(options);
    case "get":
      return get(name as string, options);
    case "check":
      return check(name, options);
    case "show":
      return show(name as string, overrides, options);
    default:
      return what satisfies never;
  }
}

const print = (value: unknown): void => {
  process.stdout.write(`${typeof value === "string" ? value : JSON.stringify(value)}\n`);
};

const sum = (sizes: readonly (number | undefined)[]): number =>
  sizes.reduce<number>((total, size = 0) => total + size, 0);

/** Where datasets lie, or will. */
function dataFolder(): string {
  const folder = defaultFolder();
  const place = nearestFolder(folder);
  if (!statSync(place).isDirectory())
    throw wrong(place, "the place of the datasets", "a folder", "a file", "set SACCADE_DATA to a folder");
  return folder;
}

/** What a layout is fetched as, in bytes. */
const fetchedBytes = ({ archive, files }: Layout): number => archive?.bytes ?? sum(files.map(({ bytes }) => bytes));

const countImages = ({ counts }: KnownDataset): number => sum(Object.values(counts));

function list({ json }: DataOptions): number {
  const folder = dataFolder();
  const all = Object.entries(knownDatasets).map(([name, known]) => {
    const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
    const found = source && findDataset(source, folder);
    return { name, known, source, ...(found && found.presence !== "absent" ? { found } : {}) };
  });
  if (json) {
    const datasets = all.map(({ name, known, source, found }) => ({
      name,
      ...known,
      ...source,
      here: !source ? "rendered" : !found ? "absent" : isCut(found) ? "damaged" : found.presence,
      ...(found ? { folder: join(folder, found.layout.folder), bytes: sum(found.files.map(({ size }) => size)) } : {}),
    }));
    print({ folder, datasets });
    return exitCodes.done;
  }
  const rows = all.map(({ name, known, source, found }) => [
    name,
    source ? here(found) : "rendered",
    known.rendered ? "any" : countImages(known).toLocaleString("en"),
    `${known.side}×${known.side}×${known.channels}`,
    String(known.classes.length),
    found
      ? formatBytes(sum(found.files.map(({ size }) => size)))
      : source
        ? formatBytes(fetchedBytes(source.layouts[0]))
        : "–",
    source?.licence ?? "MIT",
  ]);
  print(formatTable([["dataset", "here", "images", "shape", "classes", "size", "licence"], ...rows]));
  const notes = [
    `Here is ${folder}; SACCADE_DATA sets another folder.`,
    "Size: on disk, or of what is not here, to fetch; one archive brings all of EMNIST.",
    "What is rendered needs no files, and has any number and side.",
    ...(all.some(({ found }) => found && isCut(found))
      ? ["Damaged: a file has another size than was published; saccade data check says which."]
      : []),
  ];
  print(`\n${notes.map((note) => wrap(note)).join("\n")}`);
  return exitCodes.done;
}

/** Whether a file that is there has not its published size. */
const isCut = ({ files }: Found): boolean =>
  files.some((file) => file.size !== undefined && sizeFault(file) !== undefined);

function here(found: Found | undefined): string {
  if (found === undefined) return "no";
  if (isCut(found)) return "damaged";
  return found.presence === "whole" ? found.layout.form : "in part";
}

/** The name of a dataset that has files, or a refusal with the nearest that has. */
function fileDataset(name: string): string {
  if (Object.hasOwn(sources, name)) return name;
  const known = Object.keys(sources);
  if (Object.hasOwn(knownDatasets, name))
    throw new SaccadeError(`${name}: has no files, it is rendered; saccade data show ${name} draws some`);
  const close = nearest(name, known);
  throw wrong("data", "the dataset", `one of ${known.join(", ")}`, name, close && `did you mean ${close}?`);
}

/** Goes through the proxy that the environment names; Node before 24.14 does not know how. */
function useProxy(): void {
  try {
    http.setGlobalProxyFromEnv?.();
  } catch (error) {
    const got = (error as Error).message;
    throw wrong("data get", "http_proxy and https_proxy", "addresses of a proxy, such as http://host:3128", got);
  }
}

async function get(asked: string, { from, json }: DataOptions): Promise<number> {
  const name = fileDataset(asked);
  const source = sources[name];
  const folder = dataFolder();
  useProxy();
  const stop = new AbortController();
  const signals = catchSignals();
  let code: number = exitCodes.interrupted;
  signals.handle((given) => {
    code = given;
    if (stop.signal.aborted) process.exit(code);
    stop.abort();
  });
  let release = (): void => {};
  let progress: { readonly file: string; readonly shown: ReturnType<typeof showProgress> } | undefined;
  const onProgress = (file: string, done: number, total: number): void => {
    if (!process.stderr.isTTY) return;
    if (progress?.file !== file) {
      progress?.shown.end();
      progress = { file, shown: showProgress(file, "MiB") };
    }
    progress.shown.update(done / 2 ** 20, total / 2 ** 20, `${formatBytes(done)} of ${formatBytes(total)}`);
  };
  try {
    if (findDataset(source, folder)?.presence !== "whole") {
      await written(folder, async () => makeFolders(folder));
      release = lockRun({ path: folder });
    }
    const { layout, fetched } = await getDataset(name, source, { folder, from, signal: stop.signal, onProgress });
    const path = join(folder, layout.folder);
    const { licence, citation } = source;
    if (json) print({ dataset: name, folder: path, fetched, licence, citation });
    else {
      progress?.shown.end();
      // What has no published checksum can only be read.
      const known = fetched || layout.files.every(({ md5 }) => md5 !== undefined);
      const checked = known ? ", checked" : `; to check it: saccade data check ${name}`;
      print(`${knownDatasets[name].title}: ${fetched ? "fetched into" : "is already in"} ${path}${checked}`);
      print(`licence: ${licence}; to cite: ${citation}`);
    }
    return exitCodes.done;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    progress?.shown.end();
    process.stderr.write("stopped; what has come stays, and the same command goes on from there\n");
    return code;
  } finally {
    progress?.shown.end();
    release();
    signals.end();
  }
}

async function check(asked: string | undefined, { json }: DataOptions): Promise<number> {
  const folder = dataFolder();
  const names = asked === undefined ? Object.keys(sources) : [fileDataset(asked)];
  const results: { name: string; presence: Found["presence"]; files: CheckedFile[]; missing: string[] }[] = [];
  for (const name of names) {
    const found = findDataset(sources[name], folder);
    if (found === undefined || found.presence === "absent") continue;
    const files = await checkDataset(name, found, folder);
    const missing = found.files.filter(({ size }) => size === undefined).map(({ path }) => path);
    results.push({ name, presence: found.presence, files, missing });
    if (!json) print(report(name, files, missing));
  }
  if (asked !== undefined && results.length === 0)
    throw new SaccadeError(`${asked}: is not in ${folder}; fetch it: saccade data get ${asked}`);
  if (json) print({ folder, datasets: results });
  if (results.length === 0)
    throw new SaccadeError(`${folder}: must hold a dataset, got none; saccade data list shows what can be fetched`);
  const right = results.every(({ files, presence }) => presence === "whole" && files.every(({ fault }) => !fault));
  return right ? exitCodes.done : exitCodes.refused;
}

const ways: Readonly<Record<CheckedFile["by"], string>> = {
  MD5: "by published checksum",
  reading: "by reading",
  presence: "unchecked, as their split is not whole",
};

/** A line for the dataset, and one for each file that is not as it should be. */
function report(name: string, files: readonly CheckedFile[], missing: readonly string[]): string {
  const counts = Object.entries(ways)
    .map(([by, way]) => ({ way, count: files.filter((file) => file.by === by).length }))
    .filter(({ count }) => count > 0);
  const faults = files.filter(({ fault }) => fault !== undefined);
  const state = faults.length > 0 ? "not as published" : missing.length > 0 ? "right as far as it is here" : "right";
  return [
    `${name}: ${state}; ${counts.map(({ way, count }) => `${count} ${count === 1 ? "file" : "files"} ${way}`).join(", ")}`,
    ...faults.map(({ path, fault }) => `  ${path}: ${fault}`),
    ...missing.map((path) => `  ${path}: is missing`),
  ].join("\n");
}

async function show(asked: string, overrides: readonly string[], options: DataOptions): Promise<number> {
  const config =
    Object.hasOwn(knownDatasets, asked) || !existsSync(asked) ? undefined : await readConfig(asked, overrides, options);
  if (config === undefined && !Object.hasOwn(knownDatasets, asked)) {
    const close = nearest(asked, Object.keys(knownDatasets));
    const mend = close ? `did you mean ${close}?` : "saccade data list shows the datasets";
    throw wrong("saccade data show", "what to show", "a dataset or a configuration's file", asked, mend);
  }
  if (config === undefined && overrides.length > 0)
    throw wrong("saccade data show", "overrides", "left out for a dataset", overrides, "they go with a configuration");
  const set = await loadShown(config?.data ?? { dataset: asked, split: "train" });
  const figures = new Map([
    [`${config?.name ?? asked}-pictures.png`, (await contactSheet(set, config?.data.split !== "unlabelled")).png],
  ]);
  if (config) {
    const { views, images } = await firstViews(config, set, await openBackend(options));
    const { png } = await viewsFigure(config, configuredModel(config).encoder, views, { images, most: images });
    figures.set(`${config.name}-views.png`, png);
  }
  if (options.deform !== undefined) {
    const recipe = recipes[options.deform];
    const backend = await openBackend(options);
    const { png } = await drawDeformed(set, recipe, { strength: 1, seed: options.seed ?? 0 }, backend);
    figures.set(`${config?.name ?? asked}-deformed.png`, png);
  }
  const paths: string[] = [];
  for (const [file, png] of figures) {
    const path = join(options.out, file);
    await writeWhole(path, png);
    paths.push(path);
  }
  if (options.json) print({ dataset: set.name, figures: paths });
  else print(paths.join("\n"));
  return exitCodes.done;
}
