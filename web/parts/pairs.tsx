// Pairs of views, as the network sees them.

import { lossTitles } from "../configuration.ts";
import { now, pairs, run } from "../state.ts";
import { Tile } from "./tile.tsx";

export function Pairs() {
  const config = now.value;
  const tiles = pairs.value;
  const labelled = config?.loss.kind === "crossEntropy" || config?.loss.kind === "amitHinge";
  const each = labelled ? 1 : 2;
  const { step, recorded } = run.value;
  return (
    <section class="panel pairs" aria-labelledby="pairs-title">
      <h2 id="pairs-title">{labelled ? "What it sees" : "Pairs of glimpses"}</h2>
      <div
        class="pair-row"
        role="img"
        aria-label={
          labelled
            ? "Six pictures from the batch of this step."
            : "Six pairs of pictures: each pair shows one picture in two crops and colours."
        }
      >
        {tiles &&
          Array.from({ length: tiles.count / each }, (_, pair) => (
            <div class="pair" key={pair}>
              {Array.from({ length: each }, (_, view) => (
                <Tile tiles={tiles} index={each * pair + view} key={view} />
              ))}
            </div>
          ))}
      </div>
      <p class="note">
        {step === 0 || recorded ? "From the first batch" : `From the batch of step ${step}`}
        {labelled
          ? `. ${lossTitles[config.loss.kind]} is told what they are.`
          : ": one picture, cropped and coloured in two ways. To the network the two should become alike."}
      </p>
    </section>
  );
}
