// The worker that trains: owns a trainer, takes step after step while it plays, and looks at what it does in between.

import type { Backend } from "../../src/backends/backend.ts";
import type { ImageSet } from "../../src/data/images.ts";
import { proceduralObjects } from "../../src/data/procedural-objects.ts";
import { synapsesOf } from "../../src/encoders/model.ts";
import { networkOf } from "../../src/encoders/networks.ts";
import { collapseAlarm, embeddingHealth } from "../../src/training/alarms.ts";
import type { Config } from "../../src/training/config.ts";
import { madeLoss } from "../../src/training/registry.ts";
import { createTrainer, type StepResult, type Trainer } from "../../src/training/trainer.ts";
import type { Xray } from "../../src/training/xray.ts";
import type { Raw } from "../configuration.ts";
import type { Change, FromTrainer, ToTrainer } from "../messages.ts";
import type { Keeper } from "./keep.ts";
import { parseForPage } from "./limits.ts";
import { createQueue } from "./queue.ts";
import { layersOf } from "./seen.ts";
import { filterTiles, pairTiles, shownPairs } from "./tiles.ts";

/** Milliseconds between messages about steps, and between looks; looks take no more than a fifth of the time. */
const [tellEvery, lookEvery, lookShare] = [50, 500, 0.2];

export function trainHere(backend: Backend, post: (message: FromTrainer) => void) {
  let id = -1;
  let trainer: Trainer | undefined;
  /** What the trainer was made of, and how many steps were done then: of those it has no pictures and no embeddings. */
  let made: { readonly raw: Raw; readonly at: number } = { raw: {}, at: 0 };
  /** Keeps the run's files; its script comes after Play can be pressed, and no later than the second step. */
  let keeper: Keeper | undefined;
  /** What it has not been told yet: the first look of a run that begins, and its first step. */
  let unkept: { readonly seen?: readonly Xray[] | undefined; readonly result?: StepResult } = {};
  /** Views of an image in a step. */
  let views = 1;
  /** In place of what is rendered. */
  let own: ImageSet | undefined;
  let rendered: { readonly key: string; readonly set: ImageSet } | undefined;
  let playing = false;
  let pace: number | undefined;
  /** Goes up with every play and pause: a turn of an older one takes no step. */
  let turns = 0;
  let untold: number[] = [];
  let last: StepResult | undefined;
  let toldAt = 0;
  let nextLook = 0;
  let speed: { readonly since: number; readonly step: number } | undefined;

  const queue = createQueue((error) => {
    playing = false;
    post({ kind: "failed", id, sentence: error.message });
  });

  async function make(number: number, raw: Raw, pictureSet: ImageSet | undefined): Promise<void> {
    await trainer?.dispose();
    trainer = undefined;
    id = number;
    own = pictureSet;
    const config = parseForPage(raw);
    trainer = await createTrainer({ config, dataset: pictures(config), backend });
    made = { raw, at: 0 };
    untold = [];
    last = undefined;
    views = madeLoss(config).views;
    const { totalSteps, bytes } = trainer;
    post({ kind: "made", id, totalSteps, bytes, engine: backend.description });
    unkept = { seen: await look(trainer) };
    void tellCourse(trainer, false);
  }

  async function keep(of: Trainer | undefined): Promise<Keeper> {
    if (keeper === undefined) {
      const { createKeeper } = await import("./keep.ts");
      keeper ??= createKeeper({ backend, id: () => id, own: () => own !== undefined, pictures, post, wentOn });
    }
    const { seen, result } = unkept;
    unkept = {};
    if (of && seen) await keeper.begin(of, seen);
    if (of && result) await keeper.stepped(of, result);
    return keeper;
  }

  async function wentOn(of: Trainer): Promise<void> {
    made = { ...made, at: of.position().step };
    untold = [];
    last = undefined;
    await look(of);
  }

  /** Not awaited: Play waits for none of it. */
  async function tellCourse(of: Trainer, intervened: boolean): Promise<void> {
    const [own, { raw }] = [id, made];
    const { courseOf } = await import("./stages.ts");
    if (own === id) post({ kind: "course", id, course: courseOf(of, raw), made: intervened });
  }

  /** The run as it stands, in a trainer of the configuration with one more intervention: as a run that is resumed. */
  async function intervene(of: Trainer, change: Change): Promise<void> {
    const at = of.position();
    const { withIntervention } = await import("./stages.ts");
    const raw = withIntervention(made.raw, at.step, change);
    let next: Trainer | undefined;
    try {
      const config = parseForPage(raw);
      next = await createTrainer({ config, dataset: pictures(config), backend });
      await next.restore(await of.state(), at);
    } catch (error) {
      await next?.dispose();
      post({ kind: "notIntervened", id, sentence: (error as Error).message });
      return;
    }
    trainer = next;
    made = { raw, at: at.step };
    await of.dispose();
    await tellCourse(next, true);
  }

  /** Rendered once for all configurations that learn from the same. */
  function pictures({ data }: Config): ImageSet {
    if (own) return own;
    const { split, limit: count = 1, seed, size = 32 } = data;
    const key = JSON.stringify([split, count, seed, size]);
    if (rendered?.key !== key) rendered = { key, set: proceduralObjects({ split, count, seed, size }) };
    return rendered.set;
  }

  async function step(of: Trainer): Promise<void> {
    if (unkept.result) await keep(of);
    const result = await of.step();
    untold.push(result.loss);
    last = result;
    const ended = result.position.step === of.totalSteps;
    unkept = { ...unkept, result };
    if (keeper || ended) await keep(of);
    const now = performance.now();
    if (!playing || ended || now - toldAt >= tellEvery) tell(of, result, now);
    if (!playing || ended || now >= nextLook) await look(of);
    if (ended) {
      playing = false;
      post({ kind: "paused", id, ended });
    }
  }

  function tell({ config }: Trainer, { position, layer, metrics }: StepResult, now: number): void {
    if (playing && pace === undefined && (speed === undefined || now - speed.since > 4000))
      speed = { since: now, step: position.step };
    const seconds = speed && playing ? (now - speed.since) / 1000 : 0;
    const seen = speed ? (position.step - speed.step) * views * config.batch : 0;
    const viewsPerSecond = seconds > 0.3 ? seen / seconds : undefined;
    post({ kind: "steps", id, step: position.step, losses: untold, layer, metrics, viewsPerSecond });
    untold = [];
    toldAt = now;
  }

  async function look(of: Trainer): Promise<readonly Xray[]> {
    const began = performance.now();
    const { config } = of;
    const { step } = of.position();
    const stepped = step > made.at;
    const embedded = stepped ? await of.embeddings() : undefined;
    const pairs = stepped ? pairTiles(await of.views(), config, views, shownPairs) : undefined;
    const health = embedded && embeddingHealth(embedded.numbers, embedded.width);
    const seen = await of.xray();
    const [first] = networkOf(config.encoder).blocks;
    const weights = seen.flatMap(({ synapses }) => synapses).find(({ name }) => name === first.name)?.weights;
    post({
      kind: "look",
      id,
      look: {
        step,
        pairs,
        filters: weights && filterTiles(weights, first.outputs, first.kernel),
        layers: seen.flatMap(layersOf),
        health,
        collapsed: health !== undefined && collapseAlarm(health) !== undefined,
      },
    });
    const now = performance.now();
    nextLook = now + Math.max(lookEvery, (now - began) / lookShare);
    return seen;
  }

  /** One step of a run that plays, and the next one behind whatever has been asked meanwhile. */
  async function turn(own: number): Promise<void> {
    if (own !== turns || !playing || trainer === undefined) return;
    const began = performance.now();
    await step(trainer);
    if (!playing) return;
    const wait = pace === undefined ? 0 : Math.max(0, 1000 / pace - (performance.now() - began));
    if (wait === 0) queue.add(() => turn(own));
    else setTimeout(() => queue.add(() => turn(own)), wait);
  }

  return (message: ToTrainer): void => {
    switch (message.kind) {
      case "make":
        playing = false;
        queue.add(() => make(message.id, message.raw, message.own));
        return;
      case "play": {
        const own = ++turns;
        playing = true;
        pace = message.pace;
        speed = undefined;
        queue.add(() => turn(own));
        return;
      }
      case "pause":
        turns++;
        playing = false;
        queue.add(async () => {
          if (trainer && last && untold.length > 0) tell(trainer, last, performance.now());
          if (trainer) await look(trainer);
          post({ kind: "paused", id, ended: false });
        });
        return;
      case "step":
        queue.add(async () => {
          if (trainer && trainer.position().step < trainer.totalSteps) await step(trainer);
        });
        return;
      case "intervene":
        queue.add(async () => {
          if (message.id === id && trainer) await intervene(trainer, message.change);
        });
        return;
      case "apart":
        queue.add(async () => {
          if (trainer === undefined) return;
          const { apartOf } = await import("./apart.ts");
          const ran = trainer.position().step > made.at;
          post({ kind: "apart", id, apart: ran ? await apartOf(trainer) : undefined });
        });
        return;
      case "weights":
        queue.add(async () => {
          if (trainer === undefined) return;
          const state = await trainer.state();
          const weights = new Map<string, Float32Array>();
          for (const { name } of synapsesOf(trainer.model)) {
            const values = state.get(name);
            if (values) weights.set(name, values);
          }
          post({ kind: "weights", id, step: trainer.position().step, weights });
        });
        return;
      default:
        queue.add(async () => {
          const own = message.id === id ? trainer : undefined;
          await (await keep(own)).handle(message, own, made.raw);
        });
    }
  };
}
