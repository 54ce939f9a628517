// Runs the stories of the lab (web/stories.ts) on seeds 0–4, with the configuration that the page trains, and keeps what was seen.
//
//     nice -n 10 node tools/stories.ts [STORY …]
//
// Writes records/stories/STORY.json, from which the page takes its numbers and its recorded run; tests/lab/stories.test.ts holds every
// sentence against it. Half a minute for a seed.

import { wasmBackend } from "../src/backends/wasm/backend.ts";
import { proceduralObjects } from "../src/data/procedural-objects.ts";
import { synapsesOf } from "../src/encoders/model.ts";
import { writeWhole } from "../src/files/files.ts";
import { mean } from "../src/program/mean.ts";
import { embeddingHealth } from "../src/training/alarms.ts";
import { createTrainer, type Trainer } from "../src/training/trainer.ts";
import type { Raw } from "../web/configuration.ts";
import type { Recorded, RecordedLook, RecordedRun } from "../web/recorded.ts";
import { stories } from "../web/stories.ts";
import { parseForPage } from "../web/work/limits.ts";
import { createReadings } from "../web/work/readings.ts";
import { layersOf } from "../web/work/seen.ts";

const seeds = [0, 1, 2, 3, 4] as const;
/** Steps from one to the next; every stage of a story ends with a look and a reading. */
const [lossEvery, lookEvery] = [20, 100] as const;

const backend = wasmBackend({ threads: "here" });
const rounded = (value: number): number => Number(value.toPrecision(4));

async function look(trainer: Trainer, metrics: Readonly<Record<string, number>>): Promise<RecordedLook> {
  const embedded = await trainer.embeddings();
  if (embedded === undefined) throw new Error("a story's loss must have embeddings");
  const { effectiveRank, spread } = embeddingHealth(embedded.numbers, embedded.width);
  const layers = (await trainer.xray()).flatMap(layersOf);
  return {
    step: trainer.position().step,
    effectiveRank: rounded(effectiveRank),
    spread: rounded(spread),
    metrics: Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, rounded(value)])),
    layers: layers.map(({ name, angleBP, angleWB }) => ({
      name,
      ...(angleBP === undefined ? {} : { angleBP: rounded(angleBP) }),
      ...(angleWB === undefined ? {} : { angleWB: rounded(angleWB) }),
    })),
  };
}

async function run(raw: Raw): Promise<{ readonly own: RecordedRun; readonly losses: readonly number[] }> {
  const config = parseForPage(raw);
  const { split, limit: count = 1, seed, size = 32 } = config.data;
  const trainer = await createTrainer({ config, dataset: proceduralObjects({ split, count, seed, size }), backend });
  const readings = createReadings(config, backend);
  const { pixels, random } = await readings.baseline();
  const read: RecordedRun["readings"][number][] = [{ step: 0, all: random.all }];
  const looks: RecordedLook[] = [];
  const losses: number[] = [];
  for (let step = 1; step <= trainer.totalSteps; step++) {
    const { loss, metrics } = await trainer.step();
    losses.push(loss);
    if (step % lookEvery !== 0) continue;
    looks.push(await look(trainer, metrics));
    const state = await trainer.state();
    const weights = new Map(
      synapsesOf(trainer.model).flatMap(({ name }) => {
        const values = state.get(name);
        return values ? [[name, values] as const] : [];
      }),
    );
    read.push({ step, all: (await readings.read(step, weights)).accuracy.all });
  }
  await trainer.dispose();
  const stretches = Array.from({ length: losses.length / lossEvery }, (_, i) =>
    rounded(mean(losses.slice(i * lossEvery, (i + 1) * lossEvery))),
  );
  const own = { seed: config.seed, pixels: pixels.all, random: random.all, readings: read, losses: stretches, looks };
  return { own, losses };
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : stories.map(({ id }) => id);
for (const { id, raw } of wanted.flatMap((name) => stories.filter((story) => story.id === name))) {
  const runs: RecordedRun[] = [];
  let shown: readonly number[] = [];
  for (const seed of seeds) {
    const { own, losses } = await run({ ...raw, seed });
    if (seed === 0) shown = losses.map(rounded);
    runs.push(own);
    console.log(`${id}, seed ${seed}: ${own.readings.map(({ all }) => all).join(" ")}`);
  }
  await writeWhole(
    `records/stories/${id}.json`,
    `${JSON.stringify({ raw, lossEvery, shown, runs } satisfies Recorded)}\n`,
  );
}
