// The network: what each layer makes of one picture, the wires that carry the signal up, and those that carry the error down.

import type { Config } from "../../src/training/config.ts";
import type { LayerNumbers } from "../../src/training/xray.ts";
import { checked, filters, layerNumbers, now, reading, run, stage } from "../state.ts";
import { terms } from "../terms.ts";
import { Term } from "./term.tsx";
import { Tile } from "./tile.tsx";

const degrees = (angle: number | undefined): string => (angle === undefined ? "–" : `${Math.round(angle)}°`);

/** How the error comes to the layers: from the layer above, from the top to each, or from a loss of the layer's own. */
type Way = "chain" | "direct" | "own";
const wayOf = ({ learning, update }: Config): Way =>
  learning !== "E2E" ? "own" : update === "DFA" ? "direct" : "chain";

/** What stands at a feedback wire: the angle between W and B, or why there is none. */
function wireLabel(update: Config["update"], above: LayerNumbers | undefined, layer: string): string {
  if (update === "BP") return "Wᵀ 0°";
  if (stage.value?.changed[layer] === "cut" && above?.angleWB === undefined) return "cut";
  if (update === "DTP") return "target";
  return `B ${degrees(above?.angleWB)}`;
}

export function Network() {
  const told = checked.value;
  const config = now.value;
  if (told === undefined || config === undefined) return <section class="panel network" aria-busy="true" />;
  const { layers } = told;
  const numbers = layerNumbers.value;
  const way = wayOf(config);
  const seen = reading.value;
  const headless = config.loss.kind === "clapp" || config.loss.kind === "scff";
  const headName = [...numbers.keys()].find((name) => name.startsWith("head")) ?? "head";
  const learning = run.value.layer;
  const frozen = stage.value?.frozen ?? [];
  return (
    <section class="panel network" aria-labelledby="network-title">
      <h2 id="network-title">The network</h2>
      <div class="wire-names" aria-hidden="true">
        <span class="forward">signal →</span>
        <span class="feedback">← {config.update === "DTP" ? "target" : "error"}</span>
      </div>
      <ol class={`layers of-${layers.length}`}>
        <li class="layer input">
          <h3>picture</h3>
          <div class="maps one">{seen && <Tile tiles={seen.picture} index={0} />}</div>
          <p class="shape">
            {seen ? `${seen.picture.height}×${seen.picture.width}` : ""}
            <br />
            not seen in training
          </p>
        </li>
        {layers.map((layer, i) => {
          const own = numbers.get(layer.name);
          const ownHead = numbers.get(`head ${i + 1}`);
          const lit = (learning === undefined || learning === i + 1) && !frozen.includes(layer.name);
          return (
            <li key={layer.name} class={`layer${lit ? "" : " resting"}`}>
              <span class="wire forward" aria-hidden="true" />
              {i > 0 && way === "chain" && <Feedback label={wireLabel(config.update, own, layer.name)} />}
              <h3>
                {layer.name}
                {frozen.includes(layer.name) && <small> frozen</small>}
              </h3>
              <div class="maps" role="img" aria-label={`What ${layer.name} makes of the picture: six of its channels.`}>
                {seen?.activity[i] &&
                  Array.from({ length: seen.activity[i].count }, (_, tile) => (
                    <Tile key={tile} tiles={seen.activity[i]} index={tile} />
                  ))}
              </div>
              <p class="shape">
                {layer.shape.join("×")}
                <br />
                {new Intl.NumberFormat("en").format(layer.synapses)} weights
              </p>
              <dl>
                <div>
                  <dt>
                    <Term words={terms.angleBP}>to BP</Term>
                  </dt>
                  <dd>{degrees(own?.angleBP)}</dd>
                </div>
                <div>
                  <dt>
                    <Term words={terms.dead}>silent</Term>
                  </dt>
                  <dd>{own && !Number.isNaN(own.dead) ? `${Math.round(100 * own.dead)} %` : "–"}</dd>
                </div>
              </dl>
              {way === "direct" && <p class="from feedback">↑ from the top, random</p>}
              {way === "own" && (
                <p class={`from feedback${lit ? "" : " resting"}`}>
                  ↑ its own loss
                  {headless ? "" : `, ${wireLabel(config.update, ownHead, `head${i + 1}`)}`}
                </p>
              )}
            </li>
          );
        })}
        <li class="layer top">
          <span class="wire forward" aria-hidden="true" />
          {way === "chain" && !headless && (
            <Feedback label={wireLabel(config.update, numbers.get(headName), headName)} />
          )}
          <h3>
            {way === "own" ? "code" : "loss"}
            {way !== "own" && frozen.includes(headName) && <small> head frozen</small>}
          </h3>
          <p class="shape">
            {way === "own"
              ? "What the last layer says is the code; no error comes from here."
              : headless
                ? "compares what the last layer says"
                : config.loss.kind === "crossEntropy" || config.loss.kind === "amitHinge"
                  ? "10 classes"
                  : "64 numbers for each view, compared"}
          </p>
        </li>
      </ol>
      <Filters />
    </section>
  );
}

const Feedback = ({ label }: { readonly label: string }) => (
  <span class={`wire feedback ${label === "cut" ? "cut" : ""}`}>
    <span>{label}</span>
  </span>
);

function Filters() {
  const tiles = filters.value;
  return (
    <div class="filters">
      <h3>First-layer filters</h3>
      <div
        role="img"
        aria-label={`The ${tiles?.count ?? ""} filters of the first layer, each 3 × 3 pixels in colour; grey is zero.`}
      >
        {tiles && Array.from({ length: tiles.count }, (_, i) => <Tile key={i} tiles={tiles} index={i} />)}
      </div>
    </div>
  );
}
