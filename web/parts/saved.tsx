// The quiet line about files: a run that an earlier visit has left, and what came of the last file.

import { beginAnew, goOn, saved, told } from "../files.ts";

export const Saved = () => (
  <section class="saved" aria-label="Files">
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
