// The page's side of the two workers: starts them, sends what the controls ask for, and puts what they say into the page's state.

import { batch, signal } from "@preact/signals";
import type { ImageSet } from "../src/data/images.ts";
import type { Config } from "../src/training/config.ts";
import { type Raw, ruleName, withInterventions } from "./configuration.ts";
import type { FromFiles, ToFiles } from "./file-messages.ts";
import type { Change, FromReader, FromTrainer, Role, ToReader, ToTrainer } from "./messages.ts";
import { toHash } from "./share.ts";
import * as state from "./state.ts";

/** Milliseconds between read-outs while it plays; the first comes sooner. */
const [readEvery, firstRead] = [4000, 1200];
/** More threads than this gain nothing on networks as small as these. */
const mostThreads = 8;

/** Compute threads: all cores but one; where the browser lets no memory be shared, the worker's own alone. */
export const threads = globalThis.crossOriginIsolated
  ? Math.max(1, Math.min(mostThreads, navigator.hardwareConcurrency - 1))
  : "here";

interface Connection<Message> {
  readonly post: (message: Message) => void;
}

function start<To, From>(role: Role["role"], own: Role["threads"], hear: (message: From) => void): Connection<To> {
  const worker = new Worker(new URL("./work/worker.ts", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }: MessageEvent<From>) => hear(data);
  worker.onerror = ({ message }) => {
    state.problem.value = `The ${role === "train" ? "training" : "reading"} worker stopped: ${message || "its script could not be loaded"}. Reload the page.`;
    state.run.value = { ...state.run.value, playing: false };
  };
  worker.postMessage({ kind: "role", role, threads: own } satisfies Role);
  return { post: (message) => worker.postMessage(message) };
}

/** The visitor's own pictures, by the side they are scaled to. */
export type OwnPictures = ReadonlyMap<number, ImageSet>;
/** What the run learns from, where that is no rendered solids. */
export const own = signal<OwnPictures | undefined>(undefined);
const nameOf = (config: Config): string => `${ruleName(config)}${own.value ? ", own pictures" : ""}`;
/** Of the side that the configuration has. */
const ownSet = (): ImageSet | undefined => own.value?.get((state.raw.value.data as { readonly size: number }).size);

let newest = 0;
/** Play again once the run is made: a rule was changed while it played. */
let playWhenMade = false;
let lastRead = 0;
let reading = false;

const trainer = start<ToTrainer, FromTrainer>("train", threads, batched(hearTrainer));
const reader = start<ToReader, FromReader>("read", "here", batched(hearReader));

/** The page is drawn once for each message, whatever it changes. */
function batched<Message>(hear: (message: Message) => void): (message: Message) => void {
  return (message) => batch(() => hear(message));
}

/** The same for what a control has set, which it shows at once. Interventions belong to the run that was, but for another seed of it. */
export function change(wanted: Raw): void {
  const raw = wanted.seed === state.raw.value.seed ? withInterventions(wanted, []) : wanted;
  if (state.shown.value) state.shown.value = { ...state.shown.value, ...raw } as Config;
  configure(raw, own.value);
}

/** Begins anew with a configuration, on these pictures or on rendered solids; the schema has the first word. */
export function configure(raw: Raw, pictures?: OwnPictures): void {
  newest++;
  playWhenMade ||= state.run.value.playing;
  trainer.post({ kind: "pause" });
  batch(() => {
    state.raw.value = raw;
    own.value = pictures;
    state.problem.value = undefined;
    state.forget(newest);
  });
  putInAddress(raw);
  audited = undefined;
  reader.post({ kind: "check", id: newest, raw, own: ownSet() });
}

const putInAddress = (raw: Raw): void =>
  history.replaceState(null, "", `${location.pathname}${location.search}${toHash(raw)}`);

/** Changes the run as it stands, whether it plays or not; where the schema refuses, it goes on as it was. */
export function intervene(change: Change): void {
  state.notIntervened.value = undefined;
  trainer.post({ kind: "intervene", id: newest, change });
}

export const takeApart = (): void => trainer.post({ kind: "apart" });

/** Begins anew with these interventions alone: what others did is in the weights. */
export const keepInterventions = (kept: readonly unknown[]): void =>
  configure(withInterventions(state.raw.value, kept), own.value);

export function play(): void {
  const { made, ended, playing } = state.run.value;
  if (!made || ended || playing) return;
  state.run.value = { ...state.run.value, playing: true };
  lastRead = performance.now() - readEvery + firstRead;
  trainer.post({ kind: "play", pace: state.pace.value });
}

export function pause(): void {
  playWhenMade = false;
  state.run.value = { ...state.run.value, playing: false };
  trainer.post({ kind: "pause" });
}

export function step(): void {
  const { made, ended, playing } = state.run.value;
  if (playing) pause();
  else if (made && !ended) trainer.post({ kind: "step" });
}

export function reset(): void {
  playWhenMade = false;
  state.run.value = { ...state.run.value, playing: false };
  configure(state.raw.value, own.value);
}

export function setPace(pace: number | undefined): void {
  state.pace.value = pace;
  if (state.run.value.playing) trainer.post({ kind: "play", pace });
}

export function confirm(): void {
  state.confirmed.value = "asked";
  reader.post({ kind: "confirm", id: newest, config: state.stage.value?.config });
}

/** The configuration that the audit on the page is of, once it is known how the run goes on from its first one. */
let audited: string | undefined;

/** The audit is of the rule as it is now. */
export function auditStage(): void {
  const stage = state.stage.value;
  if (stage === undefined) return;
  const key = JSON.stringify({ ...stage.config, interventions: undefined });
  if (key !== audited && !(audited === undefined && stage.from < 0)) {
    state.confirmed.value = undefined;
    reader.post({ kind: "audit", id: newest, config: stage.config });
  }
  audited = key;
}

/** Who hears what is said of files: web/files.ts, once it is there. */
let hearFiles: ((message: FromFiles) => void) | undefined;
export const listenToFiles = (hear: (message: FromFiles) => void): void => {
  hearFiles = hear;
};

type Unnumbered<Message> = Message extends unknown ? Omit<Message, "id"> : never;
export const tellFiles = (message: Unnumbered<ToFiles>): void => trainer.post({ ...message, id: newest } as ToFiles);

function hearTrainer(message: FromTrainer): void {
  const { run } = state;
  if (message.id !== newest || (run.value.recorded && message.kind !== "made" && message.kind !== "course")) return;
  switch (message.kind) {
    case "made":
      run.value = { ...run.value, made: true, totalSteps: message.totalSteps, engine: message.engine };
      // Not before: Play waits for none of it.
      reader.post({ kind: "audit", id: message.id, config: undefined });
      reader.post({ kind: "baseline", id: message.id });
      if (playWhenMade) {
        playWhenMade = false;
        play();
      }
      return;
    case "steps": {
      const { step, losses, layer, metrics, viewsPerSecond } = message;
      const curves = state.curves.value;
      const marked = layer !== undefined && layer !== run.value.layer && state.checked.value?.config.learning === "GLL";
      const marks = marked ? [...curves.marks, { step: step - losses.length, text: `layer ${layer}` }] : curves.marks;
      state.curves.value = { ...curves, losses: [...curves.losses, ...losses], marks };
      run.value = { ...run.value, step, layer, metrics, viewsPerSecond: viewsPerSecond ?? run.value.viewsPerSecond };
      auditStage();
      if (performance.now() - lastRead >= readEvery && !document.hidden) askForReading();
      return;
    }
    case "look": {
      const { look } = message;
      state.collapsed.value = [state.look.value, look].every((one) => one?.collapsed);
      // Right after an intervention there is no batch to look at.
      const { health, collapsed } = look.health ? look : (state.look.value ?? look);
      state.look.value = { ...look, health, collapsed };
      if (look.pairs) state.pairs.value = look.pairs;
      if (look.filters) state.filters.value = look.filters;
      const numbers = new Map(state.layerNumbers.value);
      for (const layer of look.layers) numbers.set(layer.name, layer);
      state.layerNumbers.value = numbers;
      return;
    }
    case "course": {
      const { course, made } = message;
      state.course.value = course;
      const { length } = course.marks;
      const also = length === 0 ? "" : length === 1 ? ", 1 intervention" : `, ${length} interventions`;
      state.curves.value = { ...state.curves.value, name: `${nameOf(course.stages[0].config)}${also}` };
      if (made) {
        state.raw.value = course.raw;
        putInAddress(course.raw);
      }
      auditStage();
      return;
    }
    case "apart":
      state.apart.value = message.apart;
      return;
    case "notIntervened":
      state.notIntervened.value = shortened(message.sentence);
      return;
    case "paused":
      run.value = { ...run.value, playing: false, ended: message.ended };
      catchUp();
      return;
    case "weights": {
      const { id, step, weights } = message;
      reader.post({ kind: "read", id, step, weights });
      return;
    }
    case "failed":
      run.value = { ...run.value, playing: false };
      reading = false;
      state.problem.value = message.sentence;
      return;
    default:
      hearFiles?.(message);
  }
}

/** A run that stands still is read out where it stands. */
export function catchUp(): void {
  const { run, reading: newest } = state;
  if (!run.value.playing && !run.value.recorded && newest.value && newest.value.step !== run.value.step)
    askForReading();
}

/** What is refused may be quoted whole, and it may be long. */
const shortened = (sentence: string): string => (sentence.length > 400 ? `${sentence.slice(0, 400)} …` : sentence);

/** One at a time: the reader says when it has room. */
function askForReading(): void {
  if (reading) return;
  reading = true;
  lastRead = performance.now();
  trainer.post({ kind: "weights" });
}

function hearReader(message: FromReader): void {
  if (message.id !== newest) return;
  switch (message.kind) {
    case "checked": {
      const { checked, id } = message;
      state.checked.value = checked;
      state.shown.value = checked.config;
      state.pairs.value = checked.pairs;
      const { config } = checked;
      state.curves.value = { ...state.curves.value, name: nameOf(config), loss: JSON.stringify(config.loss) };
      reading = false;
      trainer.post({ kind: "make", id, raw: state.raw.value, own: ownSet() });
      return;
    }
    case "audited":
      state.audit.value = message.audit;
      return;
    case "refused":
      playWhenMade = false;
      state.problem.value = shortened(message.sentence);
      return;
    case "baseline": {
      const { pixels, random } = message;
      state.baseline.value = { pixels, random };
      addReading(message.reading);
      catchUp();
      return;
    }
    case "reading":
      reading = false;
      addReading(message.reading);
      catchUp();
      return;
    case "confirmed":
      state.confirmed.value = message.disagreements;
      return;
    case "failed":
      reading = false;
      state.problem.value = message.sentence;
      return;
    default:
      message satisfies never;
  }
}

function addReading(reading: NonNullable<typeof state.reading.value>): void {
  state.reading.value = reading;
  const { curves } = state;
  const { step, accuracy } = reading;
  const others = curves.value.readings.filter((one) => one.step !== step);
  const readings = [...others, { step, all: accuracy.all }].sort((a, b) => a.step - b.step);
  curves.value = { ...curves.value, readings };
}
