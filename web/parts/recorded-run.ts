// The recorded runs of the stories: fetched, and shown in the place of a run that a slow machine would take long for.

import { batch } from "@preact/signals";
import { auditStage, pause } from "../engine.ts";
import type { Recorded } from "../recorded.ts";
import { baseline, curves, layerNumbers, look, run } from "../state.ts";
import type { Story } from "../stories.ts";

const addresses: Readonly<Record<Story["id"], URL>> = {
  glimpses: new URL("../../records/stories/glimpses.json", import.meta.url),
  random: new URL("../../records/stories/random.json", import.meta.url),
  wires: new URL("../../records/stories/wires.json", import.meta.url),
  collapse: new URL("../../records/stories/collapse.json", import.meta.url),
  layers: new URL("../../records/stories/layers.json", import.meta.url),
};

export async function fetchRecorded(id: Story["id"]): Promise<Recorded> {
  const answer = await fetch(addresses[id]);
  if (!answer.ok) throw new Error(`${addresses[id].pathname} answers ${answer.status}`);
  return (await answer.json()) as Recorded;
}

/** Puts curves and angles of a story's first run on the page as if it had just ended; pictures stay the untrained network's. Reset computes it. */
export function showRecorded({ shown, runs: [first] }: Recorded): void {
  if (run.value.playing) pause();
  const last = first.looks[first.looks.length - 1];
  const known = layerNumbers.value;
  // Chance goes by the number of weights alone. What a record lacks is not told.
  const layers = last.layers.map(
    (layer) => ({ ...layer, chance: known.get(layer.name)?.chance ?? [90, 90], dead: Number.NaN }) as const,
  );
  batch(() => {
    run.value = { ...run.value, ended: true, recorded: true, step: shown.length, metrics: last.metrics };
    curves.value = { ...curves.value, losses: shown, readings: first.readings };
    layerNumbers.value = new Map(layers.map((layer) => [layer.name, layer]));
    look.value = { step: last.step, pairs: undefined, filters: undefined, layers, health: last, collapsed: false };
    baseline.value ??= {
      pixels: { all: first.pixels, classes: [] },
      random: { all: first.random, classes: [] },
    };
  });
  auditStage();
}
