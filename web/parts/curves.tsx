// The two curves: the loss of every step, and what the representation is good for.

import { baseline, before, checked, collapsed, course, curves, look, type Mark, run } from "../state.ts";
import { metricWords, terms } from "../terms.ts";
import { Chart, type Line } from "./chart.tsx";
import { Term } from "./term.tsx";

/** Points of a curve; more could not be told apart. */
const mostPoints = 240;

type Points = Line["points"];

/** The last few, newest first. */
const newest = (points: Points): Points => points.slice(-10).reverse();

/** Means over equal stretches of steps. */
export function stretched(losses: readonly number[]): Points {
  const size = Math.max(1, Math.ceil(losses.length / mostPoints));
  return Array.from({ length: Math.ceil(losses.length / size) }, (_, i) => {
    const some = losses.slice(i * size, (i + 1) * size);
    return [i * size + some.length, some.reduce((sum, loss) => sum + loss, 0) / some.length] as const;
  });
}

/** An average that forgets: a tenth of each new point. It begins anew where the run was changed. */
export function smoothed(points: Points, marks: readonly Mark[]): Points {
  let [kept, last] = [points[0]?.[1] ?? 0, 0];
  return points.map(([step, value]) => {
    if (marks.some((mark) => mark.step >= last && mark.step < step)) kept = value;
    kept += 0.1 * (value - kept);
    last = step;
    return [step, kept] as const;
  });
}

const plain = (value: number): string =>
  Math.abs(value) >= 1000 ? `${(value / 1000).toPrecision(3)}k` : String(Number(value.toPrecision(3)));
const percent = (value: number): string => `${Math.round(100 * value)} %`;

/** Of what has happened so far. */
const marksSoFar = (): Mark[] =>
  [...curves.value.marks, ...(course.value?.marks ?? [])].filter(({ step }) => step <= run.value.step);

export function LossPanel() {
  const { losses, loss } = curves.value;
  const old = before.value;
  const { metrics } = run.value;
  const health = look.value?.health;
  const points = stretched(losses);
  const shadow = old && old.loss === loss ? smoothed(stretched(old.losses), old.marks) : [];
  return (
    <section class="panel" aria-labelledby="loss-title">
      <h2 id="loss-title">Loss</h2>
      <Chart
        label="Loss"
        lines={[
          { name: `before: ${old?.name}`, look: "before", points: shadow },
          { name: "each step", look: "raw", points },
          { name: "loss", look: "trained", points: smoothed(points, marksSoFar()) },
        ]}
        marks={marksSoFar()}
        format={plain}
        leastSteps={100}
        including={[0]}
        numbers={newest(losses.map((value, i) => [i + 1, value] as const))}
      />
      <dl class="numbers-row">
        {Object.entries(metrics)
          .filter(([name]) => name in metricWords)
          .map(([name, value]) => (
            <div key={name}>
              <dt>
                <Term words={metricWords[name].words}>{metricWords[name].title}</Term>
              </dt>
              <dd>{percent(value)}</dd>
            </div>
          ))}
        {health && (
          <>
            <div class={collapsed.value ? "alarm" : undefined}>
              <dt>
                <Term words={terms.rank}>effective rank</Term>
              </dt>
              <dd>
                {health.effectiveRank.toFixed(1)} <small>of 64</small>
                {collapsed.value && <strong> collapsed</strong>}
              </dd>
            </div>
            <div>
              <dt>
                <Term words={terms.spread}>spread</Term>
              </dt>
              <dd>{plain(health.spread)}</dd>
            </div>
          </>
        )}
      </dl>
    </section>
  );
}

export function AccuracyPanel() {
  const known = baseline.value;
  const last = Math.max(100, run.value.step);
  const level = (value: number): Points => [
    [0, value],
    [last, value],
  ];
  const own = curves.value.readings.map(({ step, all }) => [step, all] as const);
  const old = before.value?.readings.map(({ step, all }) => [step, all] as const) ?? [];
  const { layer } = run.value;
  const told = checked.value;
  const growing = told?.config.learning === "GLL" && layer !== undefined && layer < told.layers.length;
  const chance = 1 / (checked.value?.classes.length ?? 10);
  const lines: Line[] = known
    ? [
        { name: `before: ${before.value?.name}`, look: "before", points: old },
        { name: "pixels", look: "pixels", points: level(known.pixels.all) },
        { name: "untrained network", look: "random", points: level(known.random.all) },
        { name: "this network", look: "trained", points: own, dots: true },
      ]
    : [];
  return (
    <section class="panel" aria-labelledby="accuracy-title" aria-busy={known === undefined}>
      <h2 id="accuracy-title">
        Can its code be <Term words={terms.kNN}>told apart</Term>?
      </h2>
      <Chart
        label="Share of new pictures named rightly"
        lines={lines}
        marks={marksSoFar()}
        format={percent}
        leastSteps={100}
        including={[0, 0.4]}
        numbers={newest(own)}
      />
      <p class="note">
        Solids named rightly by their nearest neighbours, of 500 new pictures; guessing would reach {percent(chance)}. A
        rule has learnt something where it is above <Term words={terms.random}>the untrained network</Term> and{" "}
        <Term words={terms.pixels}>the pixels</Term>.
        {growing &&
          ` Layers above layer ${layer} have not had their turn: what the last one says is still half untrained.`}
      </p>
    </section>
  );
}
