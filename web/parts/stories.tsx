// The stories: a row of titles, and the one that is told, in five short steps with a guess before anything runs.

import { useEffect, useRef, useState } from "preact/hooks";
import { configure, pause, play, reset } from "../engine.ts";
import type { Recorded } from "../recorded.ts";
import { baseline, curves, look, raw, run } from "../state.ts";
import { type Story, stories } from "../stories.ts";
import { fetchRecorded, showRecorded } from "./recorded-run.ts";

export function Stories() {
  const [story, choose] = useState<Story | undefined>(undefined);
  const begin = (wanted: Story | undefined): void => {
    pause();
    choose(wanted);
    if (wanted) configure(wanted.raw);
  };
  return (
    <section class="panel stories" aria-labelledby="stories-title">
      <div class="story-list">
        <h2 id="stories-title">Stories</h2>
        {stories.map((one) => (
          <button key={one.id} type="button" aria-pressed={one === story} onClick={() => begin(one)}>
            {one.title}
          </button>
        ))}
      </div>
      {story && <Telling key={story.id} story={story} begin={begin} />}
    </section>
  );
}

const titles = ["What is set up", "Your guess", "Run it", "What happened", "What it means"] as const;
const last = titles.length - 1;

function Telling({ story, begin }: { readonly story: Story; readonly begin: (next: Story | undefined) => void }) {
  const [step, go] = useState(0);
  const [guess, setGuess] = useState<number | undefined>(undefined);
  const [record, setRecord] = useState<Recorded | string | undefined>(undefined);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    fetchRecorded(story.id).then(setRecord, (error: Error) => setRecord(error.message));
  }, [story]);
  useEffect(() => heading.current?.focus({ preventScroll: true }), [step]);
  const { ended } = run.value;
  const own = raw.value === story.raw;
  const waits = (step === 1 && guess === undefined) || (step === 2 && !(ended && own));
  const following = stories[stories.indexOf(story) + 1];
  return (
    <div class="telling">
      <h3 ref={heading} tabIndex={-1}>
        <small>
          {step + 1} of {titles.length}
        </small>{" "}
        {titles[step]}
      </h3>
      {step === 0 && <p>{story.setting}</p>}
      {step === 1 && <Guess story={story} guess={guess} set={setGuess} />}
      {step === 2 && <Run story={story} record={record} />}
      {step === 3 && <Happened story={story} guess={guess} record={record} />}
      {step === last && (
        <>
          <p>{story.meaning}</p>
          <p>{story.next}</p>
        </>
      )}
      {!own && (
        <p class="note">
          The page no longer stands as this story sets it up.{" "}
          <button type="button" onClick={() => begin(story)}>
            Set it up again
          </button>
        </p>
      )}
      <div class="story-buttons">
        {step > 0 && (
          <button type="button" onClick={() => go(step - 1)}>
            Back
          </button>
        )}
        {step < last && (
          <button type="button" class="play" disabled={waits} onClick={() => go(step + 1)}>
            {step === 1 && guess === undefined ? "Guess first" : "Next"}
          </button>
        )}
        {step === last && following && (
          <button type="button" class="play" onClick={() => begin(following)}>
            Next: {following.title}
          </button>
        )}
        <button type="button" onClick={() => begin(undefined)}>
          Leave the story
        </button>
      </div>
    </div>
  );
}

interface GuessProps {
  readonly story: Story;
  readonly guess: number | undefined;
  readonly set: (guess: number) => void;
}

const Guess = ({ story, guess, set }: GuessProps) => (
  <fieldset class="guess">
    <legend>{story.question}</legend>
    {story.answers.map((answer, i) => (
      <label key={answer}>
        <input type="radio" name="guess" checked={guess === i} onChange={() => set(i)} /> {answer}
      </label>
    ))}
  </fieldset>
);

function Run({ story, record }: { readonly story: Story; readonly record: Recorded | string | undefined }) {
  const { made, playing, ended, recorded, step, totalSteps } = run.value;
  return (
    <>
      <p>{story.watch}</p>
      {ended ? (
        <p>
          <b>{recorded ? "This is a recorded run, of seed 0." : "It has run."}</b>{" "}
          {recorded && "Curves and angles are its own; pictures, map and classes are of the network before training. "}
          <button type="button" onClick={reset}>
            {recorded ? "Run it here after all" : "Again"}
          </button>
        </p>
      ) : (
        <div class="story-buttons">
          <button type="button" onClick={playing ? pause : play} disabled={!made}>
            {playing ? "Pause" : step > 0 ? "Go on" : "Run it here"}
          </button>
          {typeof record === "object" && (
            <button type="button" onClick={() => showRecorded(record)} disabled={look.value === undefined}>
              Show a recorded run instead
            </button>
          )}
          {totalSteps > 0 && (
            <progress max={totalSteps} value={step} aria-label={`Steps of ${totalSteps}`}>
              {step} of {totalSteps}
            </progress>
          )}
        </div>
      )}
    </>
  );
}

interface HappenedProps {
  readonly story: Story;
  readonly guess: number | undefined;
  readonly record: Recorded | string | undefined;
}

const percent = (share: number): string => `${Math.round(100 * share)} %`;

function Happened({ story, guess, record }: HappenedProps) {
  const { answers, right } = story;
  const here = curves.value.readings.at(-1);
  const known = baseline.value;
  return (
    <>
      {guess !== undefined && (
        <p>
          <b>{guess === right ? "You guessed it." : "You guessed otherwise."}</b> {answers[right]}.
        </p>
      )}
      <p>
        {record === undefined
          ? "…"
          : typeof record === "string"
            ? `What was seen on other seeds could not be fetched: ${record}.`
            : story.seen(record)}
      </p>
      {here && known && (
        <p class="note">
          {run.value.recorded ? "The recorded run" : "Here"}, at step {here.step}: {percent(here.all)} named rightly;
          the untrained network {percent(known.random.all)}, the pixels {percent(known.pixels.all)}.
        </p>
      )}
    </>
  );
}
