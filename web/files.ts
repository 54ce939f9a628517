// The page's side of files: opening what is dropped on it or chosen, saving and going on, and the zip of Export. Fetched once Play can be pressed.

import { batch, effect, signal } from "@preact/signals";
import { catchUp, configure, listenToFiles, own, pause, tellFiles } from "./engine.ts";
import { figuresOf } from "./figures.ts";
import type { Files, FromFiles } from "./file-messages.ts";
import { startServiceWorker } from "./offline.ts";
import { curves, raw, run } from "./state.ts";

/** Bytes of a file that is opened. */
const most = 200e6;

/** Step of a run of this address that an earlier visit has left, while it may be gone on with. */
export const saved = signal<number | undefined>(undefined);
/** What came of the last file: a sentence. */
export const told = signal<{ readonly sentence: string; readonly wrong: boolean } | undefined>(undefined);

/** The run whose saves have been asked for, and what is put back once the next one is made. */
let asked = false;
let opening = false;

const tell = (sentence: string, wrong: boolean): void => {
  told.value = { sentence: sentence.length > 400 ? `${sentence.slice(0, 400)} …` : sentence, wrong };
};
const problem = (sentence: string): void => tell(sentence, true);

export function goOn(): void {
  if (run.value.playing) pause();
  saved.value = undefined;
  tellFiles({ kind: "restore" });
}

export function beginAnew(): void {
  saved.value = undefined;
  tellFiles({ kind: "forget" });
}

export function exportRun(): void {
  told.value = undefined;
  tellFiles({ kind: "export", figures: figuresOf() });
}

/** Opens a run's zip or a checkpoint; what it is the worker says. */
export async function openFile(file: File): Promise<void> {
  if (file.size > most)
    return problem(`${file.name}: has ${Math.ceil(file.size / 1e6)} MB, and this page opens at most ${most / 1e6}.`);
  const start = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const isZip = start[0] === 0x50 && start[1] === 0x4b;
  if (!isZip && !/\.safetensors$/i.test(file.name))
    return problem(`${file.name}: is neither the zip of a run’s folder nor a .safetensors checkpoint.`);
  open(file.name, new Uint8Array(await file.arrayBuffer()));
}

/** Trains on these pictures. */
export async function openPictures(files: readonly File[]): Promise<void> {
  try {
    (await import("./own-pictures.ts")).openPictures(files, tell);
  } catch (error) {
    problem(`The pictures cannot be read: ${(error as Error).message}`);
  }
}

function open(name: string, from: Uint8Array | Files): void {
  told.value = undefined;
  if (run.value.playing) pause();
  // What a recorded run shows hears of nothing else.
  if (run.value.recorded) configure(raw.value);
  tellFiles({ kind: "unpack", name, from });
}

/** The run that `saccade lab RUN` serves. */
async function openServed(): Promise<void> {
  try {
    const names: string[] = await (await fetch("run/files.json")).json();
    const files = await Promise.all(
      names.map(async (name) => [name, new Uint8Array(await (await fetch(`run/${name}`)).arrayBuffer())] as const),
    );
    history.replaceState(null, "", location.pathname + location.hash);
    open("the run", new Map(files));
  } catch (error) {
    problem(`The run could not be fetched: ${(error as Error).message}`);
  }
}

function hear(message: FromFiles): void {
  switch (message.kind) {
    case "saved":
      saved.value = message.step;
      return;
    case "unpacked": {
      saved.value = undefined;
      const wanted = message.raw ?? raw.value;
      if (own.value === undefined && JSON.stringify(wanted) === JSON.stringify(raw.value)) goOn();
      else {
        opening = true;
        configure(wanted);
      }
      return;
    }
    case "restored": {
      const { step, losses, layer, ended } = message;
      curves.value = { ...curves.value, losses, readings: [] };
      run.value = { ...run.value, step, layer, ended, playing: false };
      told.value = { sentence: `Continued from step ${step}.`, wrong: false };
      catchUp();
      return;
    }
    case "exported": {
      const address = URL.createObjectURL(new Blob([message.zip], { type: "application/zip" }));
      const link = document.createElement("a");
      link.href = address;
      link.download = message.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
      told.value = { sentence: `Downloaded ${message.name}.`, wrong: false };
      return;
    }
    case "fileProblem":
      opening = false;
      problem(message.sentence);
      return;
    default:
      message satisfies never;
  }
}

listenToFiles((message) => batch(() => hear(message)));

let before = { playing: false, id: -1 };
effect(() => {
  const { made, playing, id, recorded } = run.value;
  const last = before;
  before = { playing, id };
  // Another configuration than what was offered for.
  if (id !== last.id) saved.value = undefined;
  if (!made || recorded) return;
  if (opening) {
    opening = false;
    tellFiles({ kind: "restore" });
  } else if (!asked) {
    asked = true;
    if (location.search === "?run") void openServed();
    else tellFiles({ kind: "ask" });
  } else if (last.playing && !playing) tellFiles({ kind: "save" });
});

addEventListener("visibilitychange", () => {
  if (document.hidden) tellFiles({ kind: "save" });
});

startServiceWorker();

addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length > 1 || files.some(({ type }) => type.startsWith("image/"))) void openPictures(files);
  else if (files.length === 1) void openFile(files[0]);
});
