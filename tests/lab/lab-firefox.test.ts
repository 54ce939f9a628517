// The lab in Firefox: it is isolated, trains to the bits of Node, can be played by the keyboard alone, and axe finds nothing.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../src/training/parse-config.ts";
import { toHash } from "../../web/share.ts";
import { axe, type BuiltLab, builtLab, lossesInNode, small } from "../support/built-lab.ts";
import { type Firefox, firefoxProgram, openFirefox } from "../support/firefox.ts";

const skipped = firefoxProgram === undefined && process.env.SACCADE_REQUIRE_FIREFOX === undefined;
/** Milliseconds: a machine may have much else to do. */
const patience = 100_000;

describe.skipIf(skipped)(`in Firefox${skipped ? " (skipped: no firefox-esr on PATH)" : ""}`, () => {
  let firefox: Firefox;
  let lab: BuiltLab;

  beforeAll(async () => {
    if (firefoxProgram === undefined)
      throw new Error("SACCADE_REQUIRE_FIREFOX is set, and there is no firefox-esr on PATH");
    [firefox, lab] = await Promise.all([openFirefox(firefoxProgram), builtLab("lab-firefox")]);
  }, patience);
  afterAll(async () => {
    await firefox?.close();
    await lab?.close();
  });

  const eventually = (expression: string) => expect.poll(() => firefox.evaluate(expression), { timeout: patience });
  const ready = () => eventually("document.querySelector('button.play:not([disabled])') !== null").toBe(true);
  const step = "Number(document.querySelector('.where b')?.textContent)";
  const findings = `axe.run({ resultTypes: ["violations"] }).then(({ violations }) =>
    violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => html + " " + failureSummary)]))`;

  test("takes the steps of Node, to the bit, on several threads", async () => {
    await firefox.open(lab.address + toHash(small), { width: 1440, height: 900 });
    await ready();
    expect(await firefox.evaluate("crossOriginIsolated")).toBe(true);
    await firefox.evaluate("document.querySelector('button.play').click()");
    await eventually("document.body.textContent.includes('of 30, done')").toBe(true);
    await firefox.evaluate("document.querySelector('section:has(#loss-title) summary').click()");
    // The last ten, the newest first.
    const cells =
      "[...document.querySelectorAll('section:has(#loss-title) .data td')].map((cell) => Number(cell.textContent))";
    await eventually(`${cells}.length`).toBe(10);
    expect(await firefox.evaluate(cells)).toEqual((await lossesInNode(parseConfig(small, "lab"), 30)).slice(0, 10));
    expect(firefox.complaints).toEqual([]);
  });

  test.each([1440, 390])("at %i px the keys play and pause it, and axe finds nothing", async (width) => {
    await firefox.open("about:blank", { width, height: 900 });
    await firefox.open(lab.address + toHash({ ...small, epochs: 500 }), { width, height: 900 });
    await ready();
    await firefox.press("s");
    await eventually(step).toBe(1);
    await firefox.press(" ");
    await eventually(`${step} >= 5`).toBe(true);
    await firefox.evaluate(`(() => { ${axe}; })()`);
    expect(await firefox.evaluate(findings)).toEqual([]);
    expect(await firefox.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    await firefox.press(" ");
    await eventually("document.querySelector('button.play').textContent").toContain("Play");
    expect(firefox.complaints).toEqual([]);
  });
});
