// What the page knows, as signals. engine.ts writes what the workers say, components read, and a few functions here change the configuration.

import { computed, signal } from "@preact/signals";
import type { Config } from "../src/training/config.ts";
import type { LayerNumbers } from "../src/training/xray.ts";
import { base, type Raw } from "./configuration.ts";
import type { Accuracy, Apart, Audit, Checked, Course, Look, Reading } from "./messages.ts";

/** Where the run stands. */
export interface Run {
  /** Number of its configuration. */
  readonly id: number;
  /** Whether the engine is ready for Play. */
  readonly made: boolean;
  readonly playing: boolean;
  readonly ended: boolean;
  /** Whether what is shown was computed elsewhere, at another time. */
  readonly recorded: boolean;
  readonly step: number;
  readonly totalSteps: number;
  readonly engine: string;
  readonly layer: number | undefined;
  readonly metrics: Readonly<Record<string, number>>;
  readonly viewsPerSecond: number | undefined;
}

const unmade: Run = {
  id: 0,
  made: false,
  playing: false,
  ended: false,
  recorded: false,
  step: 0,
  totalSteps: 0,
  engine: "",
  layer: undefined,
  metrics: {},
  viewsPerSecond: undefined,
};

/** Something that happened to a run, for its curves: from when another layer learns, and every intervention. */
export interface Mark {
  readonly step: number;
  readonly text: string;
}

/** What is left of a run: its curves stay behind those of the next one. */
export interface Curves {
  readonly name: string;
  /** Losses are compared only where they are the same. */
  readonly loss: string;
  readonly losses: readonly number[];
  readonly readings: readonly { readonly step: number; readonly all: number }[];
  readonly marks: readonly Mark[];
}

const noCurves: Curves = { name: "", loss: "", losses: [], readings: [], marks: [] };

export const raw = signal<Raw>(base);
/** What the controls show: what was chosen, from the moment it is, before the worker has checked it. */
export const shown = signal<Config | undefined>(undefined);
export const checked = signal<Checked | undefined>(undefined);
/** Of the configuration before, until the next one is read off. */
export const audit = signal<Audit | undefined>(undefined);
/** What is wrong, in one sentence. */
export const problem = signal<string | undefined>(undefined);
export const run = signal<Run>(unmade);
export const curves = signal<Curves>(noCurves);
export const before = signal<Curves | undefined>(undefined);
export const look = signal<Look | undefined>(undefined);
/** Whether the last two looks found fewer than two directions in the embeddings. */
export const collapsed = signal(false);
/** The newest X-ray of every layer: under GLL and RLL each look shows one. */
export const layerNumbers = signal<ReadonlyMap<string, LayerNumbers>>(new Map());
export const filters = signal<Look["filters"]>(undefined);
export const pairs = signal<Look["pairs"]>(undefined);
export const baseline = signal<{ readonly pixels: Accuracy; readonly random: Accuracy } | undefined>(undefined);
export const reading = signal<Reading | undefined>(undefined);
/** The run's interventions and its stages; not known before Play can be pressed. */
export const course = signal<Course | undefined>(undefined);
/** The last step that was taken apart. */
export const apart = signal<Apart | undefined>(undefined);
/** Why the last intervention was not made. */
export const notIntervened = signal<string | undefined>(undefined);
export const confirmed = signal<readonly string[] | "asked" | undefined>(undefined);
/** Steps a second at most. */
export const pace = signal<number | undefined>(undefined);
/** The class that is picked out in the map. */
export const picked = signal<number | undefined>(undefined);

/** What the run is now, once its interventions are known. */
export const stage = computed(() => course.value?.stages.findLast(({ from }) => from <= run.value.step));
/** The configuration as it is now: what it began with, and what interventions have changed since. */
export const now = computed(() => stage.value?.config ?? checked.value?.config);

/** A new run of a configuration: nothing of it is known yet, and the curves of the last one step back. */
export function forget(id: number): void {
  if (curves.value.losses.length >= 20) before.value = curves.value;
  run.value = { ...unmade, id };
  curves.value = noCurves;
  look.value = undefined;
  collapsed.value = false;
  layerNumbers.value = new Map();
  filters.value = undefined;
  pairs.value = undefined;
  baseline.value = undefined;
  reading.value = undefined;
  confirmed.value = undefined;
  course.value = undefined;
  notIntervened.value = undefined;
  apart.value = undefined;
}
