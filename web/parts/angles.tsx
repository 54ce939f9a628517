// The X-ray: how far each layer's change is from backpropagation's, and its feedback weights from its forward ones, on a line from 0° to 180°.

import { layerNumbers, run } from "../state.ts";
import { terms } from "../terms.ts";
import { Term } from "./term.tsx";

const degrees = (angle: number | undefined): string => (angle === undefined ? "–" : `${Math.round(angle)}°`);

export function AnglesPanel() {
  const layers = [...layerNumbers.value.values()];
  return (
    <section class="panel angles" aria-labelledby="angles-title">
      <h2 id="angles-title">X-ray: which way does each layer change?</h2>
      <table>
        <thead>
          <tr>
            <th scope="col">layer</th>
            <th scope="col">
              <span class="scale" aria-hidden="true">
                <i>0°</i>
                <i>90°</i>
                <i>180°</i>
              </span>
              <span class="hidden">on a line from 0 to 180 degrees</span>
            </th>
            <th scope="col">
              <Term words={terms.angleBP}>
                <span class="dot" aria-hidden="true" /> to BP
              </Term>
            </th>
            <th scope="col">
              <Term words={terms.angleWB}>
                <span class="diamond" aria-hidden="true" /> W to B
              </Term>
            </th>
          </tr>
        </thead>
        <tbody>
          {layers.map(({ name, angleBP, angleWB, chance }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <svg viewBox="0 0 180 16" preserveAspectRatio="none" aria-hidden="true">
                  <rect class="chance" x={chance[0]} width={chance[1] - chance[0]} y="1" height="14" />
                  <line class="axis" x1="0" x2="180" y1="8" y2="8" />
                </svg>
                {angleWB !== undefined && <span class="diamond" style={{ left: `${(100 * angleWB) / 180}%` }} />}
                {angleBP !== undefined && <span class="dot" style={{ left: `${(100 * angleBP) / 180}%` }} />}
              </td>
              <td>{degrees(angleBP)}</td>
              <td>{degrees(angleWB)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="note">
        {layers.length === 0
          ? "The first look comes with the network."
          : run.value.step === 0
            ? "Before the first step: what the rule would do."
            : "On 50 pictures that stay the same."}{" "}
        The grey band is <Term words={terms.chance}>chance</Term>.
      </p>
    </section>
  );
}
