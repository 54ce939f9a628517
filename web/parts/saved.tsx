// The quiet lines about files: own pictures, a run that an earlier visit has left, and what came of the last file.

import { configure, own } from "../engine.ts";
import { beginAnew, goOn, saved, told } from "../files.ts";
import { raw } from "../state.ts";

export const Saved = () => (
  <section class="saved" aria-label="Files">
    {own.value && (
      <p class="own">
        <span>
          <b>{own.value.values().next().value?.count} own pictures.</b> The network is trained on them and still judged
          on rendered solids, which it does not see. The run is not saved, and nothing is uploaded.
        </span>
        <button type="button" onClick={() => configure(raw.value)}>
          Back to rendered solids
        </button>
      </p>
    )}
    {saved.value !== undefined && (
      <p>
        A run with these settings was saved in this browser.
        <button type="button" onClick={goOn}>
          Continue from step {saved.value}
        </button>
        <button type="button" onClick={beginAnew}>
          Start over
        </button>
      </p>
    )}
    {told.value && (
      <p class={told.value.wrong ? "wrong" : undefined}>
        <span role={told.value.wrong ? "alert" : "status"}>{told.value.sentence}</span>
        <button
          type="button"
          onClick={() => {
            told.value = undefined;
          }}
        >
          Close
        </button>
      </p>
    )}
  </section>
);
