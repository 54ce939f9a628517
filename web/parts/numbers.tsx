// The numbers of a run, behind a disclosure: network, rate, margins, batch, epochs, seed.

import { type PageNetwork, pageNetworks, withNetwork, withPart } from "../configuration.ts";
import { change } from "../engine.ts";
import { raw, shown } from "../state.ts";
import { NumberField } from "./number-field.tsx";
import { Term } from "./term.tsx";

export function Numbers() {
  const config = shown.value;
  if (config === undefined) return null;
  const { loss, optimiser, encoder, batch, seed, epochs } = config;
  return (
    <details class="numbers">
      <summary>Network and numbers</summary>
      <label class="field">
        <span>Network</span>
        <select
          value={typeof encoder === "string" ? encoder : encoder.name}
          onChange={({ currentTarget }) => change(withNetwork(raw.value, currentTarget.value as PageNetwork))}
        >
          {Object.entries(pageNetworks).map(([name, { title }]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <NumberField
        title="Learning rate"
        value={optimiser.learningRate}
        least={1e-7}
        most={1}
        set={(learningRate) => change(withPart(raw.value, "optimiser", { learningRate }))}
      />
      {loss.kind === "contrastiveHinge" && (
        <div class="two">
          <NumberField
            title="Margin m1"
            value={loss.m1}
            least={0}
            most={loss.m2}
            set={(m1) => change(withPart(raw.value, "loss", { m1 }))}
          />
          <NumberField
            title="Margin m2"
            value={loss.m2}
            least={loss.m1}
            most={1000}
            set={(m2) => change(withPart(raw.value, "loss", { m2 }))}
          />
        </div>
      )}
      {loss.kind === "simclr" && (
        <NumberField
          title="Temperature"
          value={loss.temperature}
          least={0.001}
          most={10}
          set={(temperature) => change(withPart(raw.value, "loss", { temperature }))}
        />
      )}
      <div class="two">
        <NumberField
          title="Pictures a batch"
          value={batch}
          least={2}
          most={256}
          whole
          set={(value) => change({ ...raw.value, batch: value })}
        />
        <NumberField
          title="Epochs"
          value={epochs}
          least={1}
          most={1000}
          whole
          set={(value) => change({ ...raw.value, epochs: value })}
        />
      </div>
      <NumberField
        title="Seed"
        value={seed}
        least={0}
        most={2 ** 32 - 1}
        whole
        set={(value) => change({ ...raw.value, seed: value })}
      />
      <p class="note">
        <Term words="Weights, order of the pictures, crops and colours all follow from it: the same seed gives the same bytes, here and on the command line.">
          Seed
        </Term>{" "}
        and everything above are in the address. Each change begins anew, without the interventions; another seed keeps
        them. The curves of the run before stay as a shadow.
      </p>
    </details>
  );
}
