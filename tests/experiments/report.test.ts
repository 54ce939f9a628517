// The report of `saccade reproduce`: what stands in it, that odd text stays text, and that the same report gives the same bytes.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PNG } from "pngjs";
import { beforeAll, describe, expect, test } from "vitest";
import { bestRows, tableFigures } from "../../src/experiments/assemble.ts";
import { accuracyFigure } from "../../src/experiments/report/accuracy-figure.ts";
import { reportCsv, reportJson } from "../../src/experiments/report/data.ts";
import { reportHtml } from "../../src/experiments/report/html.ts";
import { reportMarkdown } from "../../src/experiments/report/markdown.ts";
import { plausibilityFigure, spread } from "../../src/experiments/report/plausibility-figure.ts";
import { conditionsPassed, signed, statistics } from "../../src/experiments/report/summary.ts";
import { writeReport } from "../../src/experiments/report/write.ts";
import type { ExperimentReport, Report } from "../../src/experiments/report.ts";
import { svgToPng } from "../../src/figures/png.ts";
import { fixture, hostile } from "../support/report-fixture.ts";

let report: Report;
let page: string;
let markdown: string;
beforeAll(async () => {
  report = await fixture();
  page = reportHtml(report);
  markdown = reportMarkdown(report, { figures: "figures" });
});

const count = (text: string, part: string): number => text.split(part).length - 1;
/** The report with its first experiment changed. */
const changed = (change: (first: ExperimentReport) => Partial<ExperimentReport>): Report => {
  const [first, ...others] = report.experiments;
  return { ...report, experiments: [{ ...first, ...change(first) }, ...others] };
};
/** RFC 4180, by its grammar. */
function readCsv(text: string): string[][] {
  const fields = [...text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)];
  expect(fields.map(([whole]) => whole).join("")).toBe(text);
  const lines: string[][] = [[]];
  for (const [, quoted, bare, end] of fields) {
    lines.at(-1)?.push(quoted?.replaceAll('""', '"') ?? bare);
    if (end === "\r\n") lines.push([]);
  }
  expect(lines.pop()).toEqual([]);
  return lines;
}

test("means and sample deviations are in per cent, of the seeds that have a number", () => {
  expect(statistics({ values: [0.6, 0.62, Number.NaN, 0.64] })).toEqual({
    values: [60, 62, 64],
    mean: 62,
    sd: expect.closeTo(2, 12),
  });
  expect(statistics({ values: [0.5] })).toMatchObject({ mean: 50, sd: undefined });
  expect(statistics({ values: [Number.NaN] })).toBeUndefined();
  expect(statistics("diverged")).toBeUndefined();
  expect([1.26, -0.04, -2].map(signed)).toEqual(["+1.3", "0.0", "−2.0"]);
});

describe("the page", () => {
  test("holds every number of a cell: mean ± sd, every seed as a dot, gain, published, difference", () => {
    const [table] = report.experiments[0].tables;
    const cell = table.rows[1].cells[1];
    const measured = statistics(cell);
    if (measured === undefined || typeof cell === "string") throw new Error("no accuracy");
    const [, text] = page.split(">hinge, E2E, BP, block + 5 negatives</a>");
    const [row] = text.split("</tr>");
    expect(row).toContain(`${measured.mean.toFixed(1)} ± ${measured.sd?.toFixed(1)}`);
    expect(row).toContain(
      `seeds: ${measured.values.map((value) => value.toFixed(1)).join(", ")} %; the paper: 70.35 %`,
    );
    expect(row).toContain(`gain ${signed(cell.gain ?? 0)}`);
    expect(row).toContain(`paper ${signed(measured.mean - 70.35)}`);
    expect(row).toContain('<td class="paper">70.35</td>');
    expect(count(row, '<circle class="seed"')).toBe(3 * table.columns.length);
    // Only where the column measures what the paper's number measures.
    expect(count(row, 'class="published"')).toBe(1);
  });

  test("shows two published numbers of one cell, failures, few seeds, and words", () => {
    expect(page).toContain("71.14 / 70.9");
    expect(page).toMatch(/paper −\d+\.\d \/ −\d+\.\d</);
    expect(count(page, "1 of 3 failed")).toBe(6);
    expect(count(page, "2 of 2 failed")).toBe(5);
    expect(count(page, ">n = 1<")).toBe(6);
    expect(page).toContain('<span class="words">diverged</span>');
    expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/);
  });

  test("counts and lists claims by verdict, those that do not hold like those that do", () => {
    const [, counts] = page.split('<ul class="counts">');
    expect([...counts.split("</ul>")[0].matchAll(/<strong>(\d+) /g)].map(([, number]) => number)).toEqual([
      "4",
      "1",
      "2",
      "1",
    ]);
    const [, ...groups] = page.split('<h3 class="verdict ');
    expect(groups.map((group) => count(group.split("</ul>")[0], "<li>"))).toEqual([4, 1, 2, 1]);
    expect(groups[1]).toContain("under RF layer-wise learning is above end-to-end learning");
    for (const evidence of report.experiments[0].claims[1].evidence)
      expect(page).toContain(evidence.replace("'", "&#39;"));
  });

  test("says once what is missing, for all that it stops", () => {
    expect(count(page, "<code>saccade data get stl-10</code>")).toBe(1);
    expect(count(page, 'href="#not-run"')).toBe(2);
    expect(page).toContain("4 experiments, 2 not run");
  });

  test("shares a note among rows, and numbers lead to commands", () => {
    expect(count(page, "Seed 2 diverged at step 310")).toBe(1);
    expect(count(page, 'href="#table1-main-note-c"')).toBe(2);
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    const links = [...page.matchAll(/ href="#([^"]+)"/g)].map(([, id]) => id);
    expect(links.filter((link) => !ids.includes(link))).toEqual([]);
    expect(links.filter((link) => link.startsWith("repeat-"))).toHaveLength(7);
  });

  test("stands alone and holds no markup of others", () => {
    expect(page).not.toMatch(/<script|<link|<iframe|javascript:[^e]|@import|url\(/i);
    expect(page.match(/ src="(?!data:image\/png;base64,)/)).toBeNull();
    expect(
      [...page.matchAll(/https?:\/\/[^"' <]+/g)].map(([url]) => url).filter((url) => !url.includes("w3.org")),
    ).toEqual(["https://doi.org/10.3389/fncom.2022.789253"]);
    expect(count(page, "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;")).toBeGreaterThan(8);
  });

  test("has the ledger, the citation, the licence and the time, once", () => {
    const { seconds } = report;
    expect(seconds).toBe(18_640);
    expect(count(page, "5 h 10 min")).toBe(1);
    expect(page).toContain("Mufeng Tang, Yibo Yang and Yali Amit (2022)");
    expect(page).toContain("has the MIT licence");
    expect(page).toMatch(
      /hinge, GLL, URF, block \+ 5 negatives<\/th><td class="pass">pass.*<td>4 of 4<\/td><td>700 M<\/td><td>11\.1 MiB/,
    );
    expect(page).toMatch(/<td class="partial">head only<\/td>/);
  });
});

describe("the Markdown", () => {
  test("has a table row for every row, as wide as its heading", () => {
    const unescaped = (line: string): number => line.replaceAll("\\|", "").split("|").length;
    const tables = markdown.split("\n\n").filter((block) => block.startsWith("| "));
    expect(tables).toHaveLength(5);
    for (const table of tables) expect(new Set(table.split("\n").map(unescaped)).size).toBe(1);
    expect(markdown).toMatch(
      /\| hinge, E2E, BP, block \+ 5 negatives \| 70\.35 \| [\d.]+ ± [\d.]+ \(\+[\d.]+\) \| [\d.]+ ± [\d.]+ \(\+[\d.]+\); paper −[\d.]+ \|/,
    );
  });

  test("escapes what is not its own", () => {
    expect(markdown.replaceAll(/`[^`\n]+`/g, "")).not.toMatch(/(?<!\\)<(?!$)|(?<!\\)\[d\]|(?<!\\)\*f/);
    expect(count(markdown, "\\<script\\>")).toBeGreaterThan(8);
    expect(count(markdown, "`saccade data get stl-10`")).toBe(1);
    const odd = reportMarkdown(
      { ...report, title: "# 1. a\n- b", results: ["- x", "1. y", "+ z"], command: "a ``` b" },
      { figures: "f" },
    );
    expect(odd).toContain("# \\# 1. a - b\n");
    expect(odd).toContain("- \\- x\n- 1\\. y\n- \\+ z\n");
    expect(odd).toContain("````sh\na ``` b\n````");
  });

  test("links to figures: SVG, PNG where the picture is of pixels", () => {
    expect([...markdown.matchAll(/!\[.*?\]\((.*)\)/g)].map(([, file]) => file)).toEqual([
      "figures/table1-accuracies.svg",
      "figures/table1-views.png",
      "figures/plausibility-cost.svg",
    ]);
  });
});

describe("a report that claims nothing, as a sweep's", () => {
  const swept = (): Report => {
    const [first] = report.experiments;
    const [{ caption, ...table }] = first.tables;
    const rows = table.rows.map(({ published, command, ...row }) => row);
    const one = { ...table, caption: "One sentence alone.", title: "quickstart: optimiser.learningRate", rows };
    const { scale, preset, ...others } = report;
    return {
      ...others,
      scope: [one.caption],
      results: bestRows(one),
      deviations: [],
      command: "saccade sweep quickstart.yaml",
      experiments: [{ ...first, title: "Every setting", claims: [], figures: [], ledger: [], tables: [one] }],
    };
  };

  test("opens with its best rows beside the random encoder, without claims, scale and preset", () => {
    const sweep = swept();
    const [{ tables }] = sweep.experiments;
    const [floor, ...rows] = tables[0].rows.map(({ title, cells }) => ({
      title,
      mean: statistics(cells[5])?.mean ?? 0,
    }));
    const best = rows.reduce((a, b) => (b.mean > a.mean ? b : a));
    expect(sweep.results).toHaveLength(3);
    expect(sweep.results[2]).toContain(`random encoder ${floor.mean.toFixed(1)}\u00a0%, best of `);
    expect(sweep.results[2]).toContain(`${best.mean.toFixed(1)}\u00a0% (${best.title})`);
    const text = reportHtml(sweep);
    const main = text.slice(text.indexOf("<main>"));
    for (const said of [main, reportMarkdown(sweep, { figures: "figures" })]) {
      expect(said).not.toMatch(
        /What holds|scale (?!free)|preset|Nothing was measured|paper”|Known deviations|undefined/i,
      );
      expect(count(said, "One sentence alone")).toBe(1);
      expect(said).toContain("quickstart: optimiser.learningRate");
    }
    expect(main.indexOf('id="results"')).toBeLessThan(main.indexOf('id="about"'));
    expect(main).toContain('<a href="#results">Results</a>');
  });

  test("its figure has the title, and where no row gains nothing is said of gains", async () => {
    const sweep = swept();
    const [table] = sweep.experiments[0].tables;
    const [figure] = await tableFigures({ tables: [table], ledger: [] });
    expect(figure.caption).toBe("quickstart: optimiser.learningRate. Every seed is a dot.");
    expect(figure.svg).toContain("<title>quickstart: optimiser.learningRate</title>");
    const bare = table.rows.map((row) => ({
      ...row,
      cells: row.cells.map((cell) => (typeof cell === "string" ? cell : { values: cell.values })),
    }));
    const without = { ...sweep, experiments: [{ ...sweep.experiments[0], tables: [{ ...table, rows: bare }] }] };
    expect(reportHtml(sweep)).toContain("gain: points above it");
    expect(reportHtml(without)).not.toMatch(/gain: points|gain [+−]/);
    expect(reportMarkdown(without, { figures: "figures" })).not.toContain("in brackets");
  });
});

describe("the data", () => {
  test("CSV: a line for every seed, in per cent", () => {
    const [head, ...lines] = readCsv(reportCsv(report));
    expect(head).toEqual([
      ...["experiment", "table", "row", "column group", "column", "seed index"],
      ...["accuracy in %", "published in %", "gain in points"],
    ]);
    expect(new Set(lines.map((line) => line.length))).toEqual(new Set([head.length]));
    const values = report.experiments.flatMap(({ tables }) =>
      tables.flatMap(({ rows }) =>
        rows.flatMap(({ cells }) => cells.flatMap((cell) => (typeof cell === "string" ? [] : cell.values))),
      ),
    );
    expect(lines).toHaveLength(values.length);
    lines.forEach((line, i) => {
      expect(line[6]).toBe(Number.isFinite(values[i]) ? String(Number((100 * values[i]).toFixed(4))) : "");
    });
    expect(lines.filter(([, , row]) => row === hostile)).toHaveLength(18);
    expect(lines.find(([, , row]) => row === "hinge, GLL, URF, block + 5 negatives")?.[7]).toBe("71.14 / 70.9");
    expect(lines.at(-1)).toEqual(["table1", "depth", "3 layers", "", "accuracy", "0", "55", "", ""]);
  });

  test("CSV: what a spreadsheet would take as a formula stays text", () => {
    const formula = changed(({ tables: [table] }) => ({
      tables: [{ ...table, rows: [{ ...table.rows[1], title: '=HYPERLINK("a")' }] }],
    }));
    expect(readCsv(reportCsv(formula))[1][2]).toBe(`'=HYPERLINK("a")`);
  });

  test("JSON: the report, with files for figures", () => {
    const read = JSON.parse(reportJson(report));
    expect(reportJson(report)).not.toContain("<svg");
    expect(read.experiments[0].figures[1]).toEqual({
      name: "views",
      caption: report.experiments[0].figures[1].caption,
      svg: "figures/table1-views.svg",
      png: "figures/table1-views.png",
    });
    expect(read.experiments[0].tables[0].rows[4].cells[0].values[2]).toBeNull();
    expect(read.experiments[3].ledger).toEqual(JSON.parse(JSON.stringify(report.experiments[3].ledger)));
    expect(read.seconds).toBe(report.seconds);
  });
});

test("a folder gets all files, the same bytes each time, and seconds in one place of each", async () => {
  const folders = [1, 2].map(() => mkdtempSync(join(tmpdir(), "saccade-report-")));
  try {
    const bytes = (folder: string): [string, Buffer][] =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry): [string, Buffer] => [
          join(entry.parentPath, entry.name).slice(folder.length),
          readFileSync(join(entry.parentPath, entry.name)),
        ])
        .sort(([a], [b]) => a.localeCompare(b));
    await writeReport(folders[0], report);
    // What an older report drew and this one does not have goes.
    mkdirSync(join(folders[1], "figures"));
    for (const name of ["old.svg", "old.png"]) writeFileSync(join(folders[1], "figures", name), "");
    await writeReport(folders[1], await fixture());
    const [first, again] = folders.map(bytes);
    expect(first.map(([name]) => name)).toEqual([
      ...["plausibility-cost", "table1-accuracies", "table1-views"].flatMap((name) => [
        `/figures/${name}.png`,
        `/figures/${name}.svg`,
      ]),
      ...["/index.html", "/README.md", "/report.csv", "/report.json"],
    ]);
    expect(again).toEqual(first);
    const later = { ...report, seconds: 71 };
    for (const [text, name, places] of [
      [reportHtml(later), "/index.html", 1],
      [reportMarkdown(later, { figures: "figures" }), "/README.md", 1],
      [reportJson(later), "/report.json", 1],
      [reportCsv(later), "/report.csv", 0],
    ] as const) {
      const old =
        first
          .find(([one]) => one === name)?.[1]
          .toString()
          .split("\n") ?? [];
      expect(
        text.split("\n").filter((line, y) => line !== old[y]),
        name,
      ).toHaveLength(places);
    }
    const png = PNG.sync.read(first[0][1]);
    expect(png.width).toBe(1440);
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true });
  }
});

test.each([
  [
    "a row too short",
    () => changed(({ tables: [table] }) => ({ tables: [{ ...table, rows: [{ ...table.rows[0], cells: [] }] }] })),
    /row “random encoder” of table1 main must be 6 cells, as there are columns, got 0/,
  ],
  [
    "two tables of one name",
    () => changed(({ tables: [table] }) => ({ tables: [table, table] })),
    /name of a table of table1 must be its own, got main twice/,
  ],
  [
    "a name that is no file name",
    () => changed(() => ({ name: "../up" })),
    /name of an experiment must be letters, digits, - and _, got "..\/up"/,
  ],
  [
    "a figure with a script",
    () => changed(({ figures: [figure] }) => ({ figures: [{ ...figure, svg: "<svg><script/></svg>" }] })),
    /figure accuracies of table1 must be one <svg> without scripts or HTML/,
  ],
] as const)("%s is refused by every form", (_, make, message) => {
  const bad = make();
  for (const form of [reportHtml, reportJson, reportCsv, (one: Report) => reportMarkdown(one, { figures: "figures" })])
    expect(() => form(bad)).toThrow(message);
});

test("a report of nothing yet is a page all the same", () => {
  const empty: Report = { ...report, experiments: [], results: [], deviations: [], scope: [], done: [] };
  expect(reportHtml(empty)).toContain("Nothing was measured.");
  expect(reportMarkdown(empty, { figures: "figures" })).not.toMatch(/## (Known deviations|Results|What holds)/);
  expect(readCsv(reportCsv(empty))).toHaveLength(1);
});

describe("figures", () => {
  const texts = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);

  test("the ledger's: conditions are counted by the audit's words", () => {
    const [bp, free, rf] = report.experiments[3].ledger;
    expect([bp, free, rf].map(conditionsPassed)).toEqual([3, 2, 4]);
    const labelled = { ...rf, verdicts: { ...rf.verdicts, labels: "used" } };
    expect(conditionsPassed(labelled)).toBe(3);
  });

  test("the ledger's: every measured configuration by its title, the others told", async () => {
    const { ledger } = report.experiments[3];
    const svg = await plausibilityFigure(ledger);
    for (const { title, gain } of ledger.slice(0, 10))
      expect(texts(svg).filter((text) => text === title)).toHaveLength(gain === undefined ? 0 : 1);
    expect(svg).toContain("Not drawn, because no gain was measured: 1 of 11");
    expect(svg).toContain("Not confirmed by intervention: hinge, GLL, RF");
    // A circle for each that meets all four, in the plot and beside its label, and one in the key.
    expect(count(svg, "<circle")).toBe(2 * 5 + 1);
    await svgToPng(svg, 1);
    expect(await plausibilityFigure(ledger)).toBe(svg);
    for (const odd of [
      [],
      ledger.slice(8, 9),
      ledger.slice(2, 3),
      ledger.map((one) => ({ ...one, macs: 5e8, gain: 0 })),
    ])
      expect(await plausibilityFigure(odd)).not.toMatch(/NaN|undefined|Infinity/);
    expect(await plausibilityFigure([])).toContain("no gain was measured yet");
  });

  test("labels keep apart, in order, within the frame, as near as may be", () => {
    expect(spread([10, 50, 90], 20, [0, 100])).toEqual([10, 50, 90]);
    expect(spread([40, 40, 40], 20, [0, 100])).toEqual([20, 40, 60]);
    expect(spread([0, 0, 100, 100], 20, [0, 100])).toEqual([0, 20, 80, 100]);
    const wanted = Array.from({ length: 30 }, (_, i) => 300 + 90 * Math.sin(i * 12.9)).sort((a, b) => a - b);
    const placed = spread(wanted, 11, [0, 400]);
    placed.slice(1).forEach((place, i) => {
      expect(place - placed[i]).toBeGreaterThan(11 - 1e-9);
    });
    expect([placed[0] >= 0, (placed.at(-1) ?? 0) <= 400]).toEqual([true, true]);
    // No other placing that keeps apart is nearer: moving any run of touching labels makes the squares larger.
    const cost = (places: readonly number[]): number =>
      places.reduce((sum, place, i) => sum + (place - wanted[i]) ** 2, 0);
    for (const shift of [-0.5, 0.5])
      for (let from = 0; from < 30; from++) {
        const moved = placed.map((place, i) => ((shift < 0 ? i <= from : i >= from) ? place + shift : place));
        if (moved[0] >= 0 && (moved.at(-1) ?? 0) <= 400) expect(cost(moved)).toBeGreaterThan(cost(placed) - 1e-9);
      }
  });

  test("a table's: every seed is a dot, every published number a tick, panels by read-out", async () => {
    const [table] = report.experiments[0].tables;
    const svg = await accuracyFigure(table);
    const values = table.rows.flatMap(({ cells }) => cells.flatMap((cell) => statistics(cell)?.values ?? []));
    expect(count(svg, "<circle")).toBe(values.length);
    const ticks = (thickness: number): number => {
      const [, group = ""] = new RegExp(`<g [^>]*stroke-width="${thickness}"[^>]*>(.*?)</g>`).exec(svg) ?? [];
      return count(group, 'stroke="#1a1a1a"');
    };
    expect(ticks(3)).toBe(table.rows.flatMap(({ published = [] }) => published).length);
    expect(texts(svg)).toEqual(
      expect.arrayContaining(["the paper's probe", "scale-free probe", "k nearest neighbours", "published"]),
    );
    expect(texts(svg).filter((text) => text === "no number")).toHaveLength(3);
    expect(await accuracyFigure(table)).toBe(svg);
    const words = { ...table, rows: table.rows.map((row) => ({ ...row, cells: row.cells.map(() => "–") })) };
    expect(await accuracyFigure(words)).toContain("no accuracies yet");
  });
});
