// What a synapse has to know under this rule: the audit's verdicts, read off the step's operations before anything is trained.

import type { Condition, Verdict } from "../../src/program/audit.ts";
import { confirm } from "../engine.ts";
import { audit, confirmed } from "../state.ts";
import { conditionWords } from "../terms.ts";
import { Term } from "./term.tsx";

const order = Object.keys(conditionWords) as Condition[];
const signs: Readonly<Record<Verdict["verdict"], { readonly sign: string; readonly words: string }>> = {
  pass: { sign: "✓", words: "holds" },
  partial: { sign: "◐", words: "in part" },
  fail: { sign: "✗", words: "fails" },
};

export function Audit() {
  const told = audit.value;
  if (told === undefined) return <section class="panel audit" aria-busy="true" />;
  const held = order.filter((one) => told.summary[one].verdict === "pass").length;
  return (
    <section class="panel audit" aria-labelledby="audit-title">
      <h2 id="audit-title">Could a synapse do it?</h2>
      <p class="note">
        {held === order.length
          ? "All four of the paper’s conditions hold for this rule."
          : `${held} of the paper’s four conditions hold for this rule.`}{" "}
        Read off the operations of one step, before anything is trained.
      </p>
      <ul class="verdicts">
        {order.map((one) => {
          const { verdict, word, because } = told.summary[one];
          const { sign, words } = signs[verdict];
          return (
            <li key={one} class={verdict}>
              <span class="sign" aria-hidden="true">
                {sign}
              </span>
              <span class="condition">
                <Term words={conditionWords[one].words}>{conditionWords[one].title}</Term>
                <span class="word">
                  {words}
                  {verdict !== "pass" && word !== "fail" ? `: ${word}` : ""}
                </span>
                {because.length > 0 && verdict !== "pass" && <span class="because">{some(because)}</span>}
              </span>
            </li>
          );
        })}
      </ul>
      <details>
        <summary>Layer by layer</summary>
        <section class="scrolled" tabIndex={0} aria-label="Verdicts of every layer">
          <table>
            <thead>
              <tr>
                <th scope="col">layer</th>
                <th scope="col">(i)</th>
                <th scope="col">(ii)</th>
                <th scope="col">(iii)</th>
                <th scope="col">(iv)</th>
              </tr>
            </thead>
            <tbody>
              {told.layers.map((layer, i) => (
                <tr key={`${layer.layer}${i}`}>
                  <th scope="row">{layer.layer}</th>
                  {order.map((one) => (
                    <td key={one} class={layer[one].verdict}>
                      {signs[layer[one].verdict].sign} {layer[one].word}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      </details>
      <Confirm />
    </section>
  );
}

/** The first two reasons; a network of five layers has the same one many times. */
const some = (because: readonly string[]): string =>
  because.length > 2 ? `${because.slice(0, 2).join("; ")}; and ${because.length - 2} more` : because.join("; ");

function Confirm() {
  const found = confirmed.value;
  return (
    <div class="confirm">
      {found === undefined && (
        <button type="button" onClick={confirm}>
          Confirm by experiment
        </button>
      )}
      <p class="note" role="status">
        {found === undefined
          ? ""
          : found === "asked"
            ? "Changing what a synapse must not know, and watching whether its change moves by a bit …"
            : found.length === 0
              ? "✓ Borne out: noise in everything a synapse must not know left its change the same to the bit; noise in what it does read changed it."
              : `Not borne out: ${found.join("; ")}.`}
      </p>
    </div>
  );
}
