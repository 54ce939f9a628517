// What the worker that trains keeps of its run: the same books as `saccade train`, its folder as a zip, a copy that a reload goes on from. Loaded after Play.

import { zipSync } from "fflate";
import type { Backend } from "../../src/backends/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { type Bookkeeping, createBookkeeping } from "../../src/record/bookkeeping.ts";
import { checkpointParts, fileName, type Losses, requireTensors } from "../../src/record/checkpoint-file.ts";
import { configText } from "../../src/record/config-text.ts";
import { dataText } from "../../src/record/data-record.ts";
import type { Metric } from "../../src/record/metrics.ts";
import type { Config } from "../../src/training/config.ts";
import type { StepResult, Trainer } from "../../src/training/trainer.ts";
import type { Xray } from "../../src/training/xray.ts";
import type { Raw } from "../configuration.ts";
import type { FromFiles, ToFiles } from "../file-messages.ts";
import { crc32 } from "./crc32.ts";
import { configKey, dataSum, fingerprint } from "./digests.ts";
import { parseForPage } from "./limits.ts";
import { openSaves } from "./saves.ts";
import { rawOf, type Unpacked, unpack } from "./unpack.ts";

/** Milliseconds between saves, which take no more than a twentieth of the time. */
const [saveEvery, saveShare] = [5000, 0.05];

export interface KeeperHost {
  readonly backend: Backend;
  /** Number of the run that is there. */
  readonly id: () => number;
  /** Whether the run learns from the visitor's own pictures, which are not kept. */
  readonly own: () => boolean;
  readonly pictures: (config: Config) => ImageSet;
  readonly post: (message: FromFiles) => void;
  /** The trainer has been put where a run stood: looks at it. */
  readonly wentOn: (trainer: Trainer) => Promise<void>;
}

export interface Keeper {
  /** A run's beginning, with what its first X-ray has seen. */
  readonly begin: (trainer: Trainer, seen: readonly Xray[]) => Promise<void>;
  readonly stepped: (trainer: Trainer, result: StepResult) => Promise<void>;
  readonly handle: (message: ToFiles, trainer: Trainer | undefined, raw: Raw) => Promise<void>;
}

export function createKeeper({ backend, id: current, own, pictures, post, wentOn }: KeeperHost): Keeper {
  const saves = openSaves();
  let books: Bookkeeping | undefined;
  let lines: string[] = [];
  let best: Unpacked["best"];
  /** Opened or found, and not yet put back. */
  let waiting: Unpacked | undefined;
  /** The run's configuration in the saves, once this tab has it; false: another tab has. */
  let held: string | false | undefined;
  /** A saved run is offered and may still be wanted: nothing is written over it. */
  let offered = false;
  let nextSave = 0;
  let savedStep = 0;

  function openBooks(config: Config, before: readonly Metric[], losses: Losses | undefined): void {
    lines = before.map((metric) => JSON.stringify(metric));
    books = createBookkeeping({ config, before, losses, note: (metric) => lines.push(JSON.stringify(metric)) });
  }

  async function checkpointOf(trainer: Trainer, { losses, lines: count }: Bookkeeping): Promise<Uint8Array> {
    const checkpoint = {
      position: trainer.position(),
      state: await trainer.state(),
      losses: losses(),
      config: await configKey(trainer.config),
      metrics: count(),
    };
    return joined([...checkpointParts(trainer.recorded, checkpoint, crc32)]);
  }

  /** The run's folder as it stands. */
  async function folderOf(trainer: Trainer, own: Bookkeeping): Promise<Record<string, Uint8Array>> {
    const { config } = trainer;
    const set = pictures(config);
    const text = (words: string): Uint8Array => new TextEncoder().encode(words);
    const environment = {
      saccade: SACCADE_VERSION,
      commit: null,
      page: navigator.userAgent,
      cores: navigator.hardwareConcurrency,
      backend: backend.name,
      backendDescription: backend.description,
      arithmetic: backend.arithmetic,
    };
    const path = `checkpoints/${fileName(trainer.position().step)}`;
    return {
      "config.yaml": text(configText(config)),
      "data.json": text(dataText(set, await dataSum(set))),
      "environment.json": text(`${JSON.stringify(environment, null, 2)}\n`),
      "metrics.jsonl": text(lines.map((line) => `${line}\n`).join("")),
      ...(best && best.path !== path ? { [best.path]: best.bytes } : {}),
      [path]: await checkpointOf(trainer, own),
    };
  }

  async function save(trainer: Trainer): Promise<void> {
    const { step } = trainer.position();
    if (own() || books === undefined || offered || held === false || step === 0 || step === savedStep) return;
    const began = performance.now();
    try {
      const key = await fingerprint(trainer.config);
      if (held !== key) {
        // An intervention has made another configuration of it.
        const before = held;
        saves.release();
        held = (await saves.hold(key)) && key;
        if (before !== undefined) await saves.remove(before);
      }
      if (held) await saves.write(held, zipSync(await folderOf(trainer, books), { level: 0 }));
      savedStep = step;
    } catch (error) {
      // A full disk, or a diverged run: it is as it was before, and so is the page.
      post({ kind: "fileProblem", id: current(), sentence: `The run is not saved: ${(error as Error).message}` });
      held = false;
    }
    const now = performance.now();
    nextSave = now + Math.max(saveEvery, (now - began) / saveShare);
  }

  /** Looks for a saved run of the configuration; a damaged one is told once, and is gone. */
  async function ask(id: number, { config }: Trainer): Promise<void> {
    // Until it is known, nothing is written over it.
    offered = true;
    saves.release();
    const key = await fingerprint(config);
    held = (await saves.hold(key)) && key;
    let step: number | undefined;
    let why: string | undefined;
    for (const bytes of held ? await saves.read(key) : [])
      try {
        waiting = await unpack("the saved run", bytes, config);
        step = waiting.checkpoint?.position.step;
        break;
      } catch (error) {
        why ??= (error as Error).message;
      }
    if (step === undefined && why !== undefined) {
      await saves.remove(key);
      post({
        kind: "fileProblem",
        id,
        sentence: `The saved run is damaged, so this one starts from the beginning: ${why}`,
      });
    }
    offered = step !== undefined;
    post({ kind: "saved", id, step });
  }

  async function restore(id: number, trainer: Trainer): Promise<void> {
    if (waiting === undefined) return;
    const { checkpoint, metrics, best: file } = waiting;
    if (checkpoint) {
      const { step } = checkpoint.position;
      requireTensors(checkpoint, trainer.ruleOf(step).state);
      await trainer.restore(checkpoint.state, checkpoint.position);
      openBooks(trainer.config, metrics, checkpoint.losses);
      best = file;
      await wentOn(trainer);
      const noted = metrics.filter((metric) => metric.kind === "step");
      const losses: number[] = [];
      // A curve has a loss for each step; where not each is noted, the one before stands in.
      for (const metric of noted) while (losses.length < metric.step) losses.push(metric.loss);
      while (losses.length < step) losses.push(losses.at(-1) ?? Number.NaN);
      const ended = step === trainer.totalSteps;
      post({ kind: "restored", id, step, losses, layer: noted.at(-1)?.layer, ended });
    }
    waiting = undefined;
    offered = false;
  }

  async function answer(message: ToFiles, trainer: Trainer | undefined, raw: Raw): Promise<void> {
    const { kind, id } = message;
    if (kind === "unpack") {
      const current = trainer?.config ?? parseForPage(raw);
      waiting = await unpack(message.name, message.from, current);
      const { config, checkpoint } = waiting;
      post({ kind: "unpacked", id, raw: config && rawOf(config), step: checkpoint?.position.step ?? 0 });
    } else if (kind === "forget") {
      waiting = undefined;
      offered = false;
      if (held) await saves.remove(held);
    } else if (trainer === undefined || books === undefined) return;
    // Not awaited: another tab may keep it waiting.
    else if (kind === "ask") void ask(id, trainer);
    else if (kind === "save") await save(trainer);
    else if (kind === "restore") await restore(id, trainer);
    else {
      const { step } = trainer.position();
      const name = `saccade-lab-step-${step}`;
      const files = { ...(await folderOf(trainer, books)), ...Object.fromEntries(message.figures) };
      post({ kind: "exported", id, name: `${name}.zip`, zip: zipSync({ [name]: files }) });
    }
  }

  return {
    begin: async (trainer, seen) => {
      saves.release();
      held = undefined;
      offered = false;
      best = undefined;
      savedStep = 0;
      nextSave = performance.now() + saveEvery;
      openBooks(trainer.config, [], undefined);
      const position = { step: 0, epoch: 0, batch: 0 };
      await books?.xray({ position: () => position, xray: async () => (trainer.config.xrayEvery > 0 ? seen : []) });
    },
    stepped: async (trainer, result) => {
      if (books === undefined) return;
      await books.afterStep(trainer, result);
      books.endStep(trainer, result);
      const { step } = result.position;
      if (books.losses().best?.step === step)
        best = { path: `checkpoints/${fileName(step)}`, bytes: await checkpointOf(trainer, books) };
      if (performance.now() >= nextSave) await save(trainer);
    },
    handle: async (message, trainer, raw) => {
      try {
        await answer(message, trainer, raw);
      } catch (error) {
        post({ kind: "fileProblem", id: message.id, sentence: (error as Error).message });
      }
    },
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
