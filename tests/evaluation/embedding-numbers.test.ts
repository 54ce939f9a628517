// Numbers of embeddings and their pictures against scikit-learn's and by hand; coarse groups of classes.

import { describe, expect, test } from "vitest";
import { knownDatasets } from "../../src/datasets/known-datasets.ts";
import { groupsOfClasses, knownGroups, parseGroups } from "../../src/evaluation/class-groups.ts";
import { embeddingNumbers, separationOf } from "../../src/evaluation/embedding-numbers.ts";
import { readGolden } from "../goldens/read.ts";
import { goldenRows, type TsneGolden } from "../goldens/tsne-rows.ts";

describe("numbers", () => {
  const { rows, width, labels } = goldenRows();
  const golden = readGolden<TsneGolden>("tsne");
  const plane = Float64Array.from(golden.tensor("plane").data);

  test.each(golden.json.numbers)("are scikit-learn's at k = $k", ({ k, ...wanted }) => {
    const found = embeddingNumbers(rows, width, plane, { classes: labels }, k);
    expect(found.neighbours).toBe(k);
    expect(found.trustworthiness).toBeCloseTo(wanted.trustworthiness, 10);
    expect(found.preserved).toBeCloseTo(wanted.preserved, 10);
    for (const space of ["representation", "picture"] as const)
      for (const name of ["purity", "betweenWithin", "silhouette"] as const)
        expect(found.labellings.classes[space][name], `${space} ${name}`).toBeCloseTo(wanted[space][name], 6);
    expect(found.labellings.classes.chance).toBeCloseTo(49 / 249, 12);
    expect(separationOf(rows, width, { classes: labels }, k).classes).toEqual(found.labellings.classes.representation);
  });

  test("of a picture that is the representation: everything is kept and trusted", () => {
    const found = embeddingNumbers(Float32Array.from(plane), 2, plane, { classes: labels }, 7);
    expect(found).toMatchObject({ trustworthiness: 1, preserved: 1 });
  });

  test("by hand, with a class of one row and one that has none", () => {
    // On a line: 0 and 1 of class 0, 5 of class 2, 6 and 8 of class 3.
    const line = Float32Array.of(0, 1, 5, 6, 8);
    const { purity, betweenWithin, silhouette } = separationOf(line, 1, { own: Int32Array.of(0, 0, 2, 3, 3) }, 1).own;
    // Nearest: 1, 0, 6, 5, 6.
    expect(purity).toBeCloseTo(3 / 5, 12);
    // Means 0.5, 5, 7 around 4: 2 · 3.5² + 1 + 2 · 3² between, 4 · ¼ + 4 · ... within: 0.5 and 2.
    expect(betweenWithin).toBeCloseTo((2 * 3.5 ** 2 + 1 + 2 * 3 ** 2) / 2.5, 12);
    const each = [(5 - 1) / 5, (4 - 1) / 4, 0, (1 - 2) / 2, (3 - 2) / 3];
    expect(silhouette).toBeCloseTo(each.reduce((a, b) => a + b) / 5, 12);
  });

  test.each([
    [
      (): object => embeddingNumbers(rows, 15, plane, { classes: labels }),
      /rows must be 250 of 15, one for each point/,
    ],
    [() => embeddingNumbers(rows, width, plane, { classes: labels }, 125), /k must be .* below n \/ 2 = 125, got 125$/],
    [
      () => embeddingNumbers(rows, width, plane, { groups: labels.map(() => 1) }),
      /groups must be of two classes or more/,
    ],
    [
      () => embeddingNumbers(rows, width, plane, { groups: labels.subarray(1) }),
      /groups must be 250 labels.*, got 249$/,
    ],
    [() => separationOf(rows, width, { classes: labels.map((label) => label - 1) }), /labels from 0 on, got -1$/],
  ])("of what does not fit are refused (%#)", (call, message) => {
    expect(call).toThrow(message);
  });
});

describe("groups", () => {
  test.each(Object.entries(knownGroups))("of %s have each of its classes once", (dataset, groups) => {
    const { classes } = knownDatasets[dataset];
    const of = groupsOfClasses(groups, classes, dataset);
    expect(of).toHaveLength(classes.length);
    expect(new Set(of).size).toBe(Object.keys(groups).length);
    expect(Object.values(groups).flat().sort()).toEqual([...classes].sort());
  });

  test("of a file: digits are read as numbers", () => {
    const groups = parseGroups({ round: [0, "2"], straight: [1] }, "groups.yaml");
    expect([...groupsOfClasses(groups, ["0", "1", "2"], "groups.yaml")]).toEqual([0, 1, 0]);
  });

  const classes = ["cat", "dog", "ship"];
  test.each([
    [
      { animals: ["cat", "dgo"], rest: ["ship"] },
      /^mine: animals must be .*cat, dog, ship, got dgo; did you mean dog\?$/,
    ],
    [{ animals: ["cat", "dog"], rest: ["ship", "cat"] }, /^mine: cat is in animals and in rest$/],
    [{ animals: ["cat"], rest: ["ship"] }, /^mine: in no group: dog; put each in one$/],
    [{ animals: ["cat", "dog", "ship"] }, /^mine: groups must be two or more, got 1$/],
    [{ animals: "cat" }, /^mine: animals must be a list of classes, got cat$/],
    [["cat"], /^mine: it must be groups with lists of classes, .*, got a list$/],
  ])("that do not fit are refused: %j", (raw, message) => {
    expect(() => groupsOfClasses(parseGroups(raw, "mine"), classes, "mine")).toThrow(message);
  });
});
