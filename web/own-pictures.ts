// The visitor's own pictures: read in a worker of their own, they take the place of the rendered solids. Fetched when some are chosen.

import type { ImageSet } from "../src/data/images.ts";
import { lossTitles, pageNetworks } from "./configuration.ts";
import { configure } from "./engine.ts";
import type { FromDecoder, ToDecoder } from "./picture-messages.ts";
import { checked, raw } from "./state.ts";

/** Files at once. */
const most = 5000;
/** What systems leave beside pictures. */
const litter = /^(\..*|Thumbs\.db|desktop\.ini)$/i;
const sides = Object.values(pageNetworks).map(({ side }) => side);

let decoder: Worker | undefined;

/** What is to be read on the page. */
type Tell = (sentence: string, wrong: boolean) => void;

/** Trains on these pictures, in the order of their paths; where they will not do, the run stays as it is. */
export function openPictures(chosen: readonly File[], tell: Tell): void {
  decoder?.terminate();
  const place = (file: File): string => file.webkitRelativePath || file.name;
  const files = chosen
    .filter(({ name }) => !litter.test(name))
    .sort((a, b) => (place(a) < place(b) ? -1 : place(a) > place(b) ? 1 : 0));
  const refusal =
    files.length > most
      ? `${files.length} files are too many: this page trains on at most ${most} pictures.`
      : refusalOf();
  if (refusal) {
    tell(refusal, true);
    return;
  }
  tell(`Reading ${files.length === 1 ? "1 file" : `${files.length} files`} …`, false);
  decoder = new Worker(new URL("./work/decode.ts", import.meta.url), { type: "module" });
  const stop = (): void => decoder?.terminate();
  decoder.onerror = ({ message }) => {
    stop();
    tell(`The pictures could not be read: ${message || "the script for it could not be loaded"}.`, true);
  };
  decoder.onmessage = ({ data }: MessageEvent<FromDecoder>) => {
    if (data.kind === "progress") tell(`Reading: ${data.done} of ${files.length} files …`, false);
    else {
      stop();
      take(data, tell);
    }
  };
  decoder.postMessage({ files, sides } satisfies ToDecoder);
}

/** Why the present configuration cannot learn from pictures without names. */
function refusalOf(): string | undefined {
  const config = checked.value?.config;
  if (config === undefined) return "The page is still getting ready: choose the pictures again in a moment.";
  if (config.data.split !== "unlabelled")
    return `${lossTitles[config.loss.kind]} learns from the names of classes, and your own pictures come without: choose another loss first.`;
  const { size = 32 } = config.data;
  return sides.some((side) => side === size)
    ? undefined
    : `Own pictures are scaled to ${sides.join(" or ")} pixels, and this configuration takes ${size}.`;
}

function take({ count, pixels, skipped, first }: Extract<FromDecoder, { kind: "decoded" }>, tell: Tell): void {
  // It may have changed meanwhile.
  const refusal = refusalOf();
  if (refusal) {
    tell(refusal, true);
    return;
  }
  const files = skipped === 1 ? "1 file was skipped:" : `${skipped} files were skipped, the first because`;
  const also = first ? ` ${files} ${first.name} ${first.why}.` : "";
  const { batch } = (checked.value as NonNullable<typeof checked.value>).config;
  if (count < batch) {
    const found = count === 1 ? "1 picture is" : `${count} pictures are`;
    tell(
      `${found} too few: a batch takes ${batch}. Choose more, or make “Pictures a batch” smaller under “Network and numbers”.${also}`,
      true,
    );
    return;
  }
  configure(raw.value, new Map(sides.map((side, k) => [side, setOf(side, count, pixels[k])])));
  tell(`${count} pictures were read, and a new run begins.${also}`, false);
}

const setOf = (side: number, count: number, pixels: Uint8Array): ImageSet => ({
  name: "own pictures",
  pixels,
  count,
  height: side,
  width: side,
  channels: 3,
  labels: new Int32Array(count),
  classes: ["unlabelled"],
});
