// One step, taken apart: views → codes → distances and gates → error → what each layer's synapses get. Asked for when it is opened.

import { useEffect, useState } from "preact/hooks";
import { takeApart } from "../engine.ts";
import { apart, now, run } from "../state.ts";
import { Tile } from "./tile.tsx";

const plain = (value: number): string => String(Number(value.toPrecision(2)));

export function ApartPanel() {
  const [open, setOpen] = useState(false);
  const { step, playing, recorded } = run.value;
  const rests = step > 0 && !playing && !recorded;
  useEffect(() => {
    if (open && rests) takeApart();
  }, [open, rests, step]);
  const hinge = now.value?.loss.kind === "contrastiveHinge";
  return (
    <details class="panel apart" onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>
        <h2>One step, taken apart</h2>
      </summary>
      {!hinge ? (
        <p class="note">Only the contrastive hinge is taken apart here: its arithmetic is plain enough to be drawn.</p>
      ) : !rests ? (
        <p class="note">{playing ? "Pause it, or let it take one step." : "Let it take one step."}</p>
      ) : apart.value?.step !== step ? (
        <p class="note">{apart.value === undefined ? "Take one more step to see it." : "…"}</p>
      ) : (
        <Steps />
      )}
    </details>
  );
}

function Steps() {
  const told = apart.value;
  const config = now.value;
  if (told === undefined || config === undefined) return null;
  const { views, codes, distances, error, loss, strangers, sizes } = told;
  const shown = distances.length - 1;
  const pulled = distances[0] > loss.m1;
  const pushed = distances.slice(1).filter((one) => one < loss.m2).length;
  const largest = Math.max(...sizes.map(({ size }) => size)) || 1;
  const who = loss.gradientBlock ? "B" : "A";
  return (
    <ol class="apart-steps">
      <li>
        <h3>1. Views and their codes</h3>
        <p class="note">
          A and B are glimpses of one picture, the others of strangers. Under each its code: the network’s 64 numbers.
        </p>
        <div class="apart-row">
          {["A", "B", ...Array.from({ length: shown }, (_, i) => `${i + 1}`)].map((name, i) => (
            <figure key={name}>
              <Tile tiles={views} index={i < 2 ? i : 2 * i - 1} />
              <Tile tiles={codes} index={i} />
              <figcaption>
                {i === 0 ? (
                  <b>A</b>
                ) : (
                  <>
                    <b>{i === 1 ? "B" : `stranger ${name}`}</b>
                    <br />
                    {plain(distances[i - 1])} from A
                    <br />
                    {gate(i === 1, distances[i - 1], loss)}
                  </>
                )}
              </figcaption>
            </figure>
          ))}
        </div>
      </li>
      <li>
        <h3>2. Distances and gates</h3>
        <p class="note">
          {`B should be nearer to A than ${plain(loss.m1)}, a stranger further than ${plain(loss.m2)} (sums of 64 differences). `}
          {`Here B is ${plain(distances[0])} away, so its gate is ${pulled ? "open" : "closed"}; ${pushed} of ${shown} strangers’ gates are open`}
          {strangers > shown ? `, of ${strangers} that there are.` : "."}
        </p>
      </li>
      <li>
        <h3>3. The error of {who}</h3>
        <div class="apart-error">
          <Tile tiles={error} index={0} />
          <p class="note">
            For each of its 64 numbers a sum of +1 and −1, one for every open gate: towards what it belongs to, away
            from strangers. Yellow should go down, blue up.
            {loss.gradientBlock &&
              " Under the gradient block A is past and gets none; B is pushed by the anchors before it."}
          </p>
        </div>
      </li>
      <li>
        <h3>4. What synapses get</h3>
        <p class="note">
          The error comes down by {config.update}; a synapse changes by what came in times the error that arrives. Root
          mean square of that, on 50 pictures that stay the same:
        </p>
        <table>
          <tbody>
            {sizes.map(({ name, size }) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>
                  <span class="size" style={{ width: `${(100 * size) / largest}%` }} aria-hidden="true" />
                </td>
                <td>{plain(size)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </li>
    </ol>
  );
}

function gate(belongs: boolean, distance: number, { m1, m2 }: { readonly m1: number; readonly m2: number }): string {
  if (belongs) return distance > m1 ? "open: pulled" : "closed: near enough";
  return distance < m2 ? "open: pushed" : "closed: far enough";
}
