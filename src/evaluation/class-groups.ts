// Classes of a dataset in a few coarse groups: known ones, and a researcher's own from a file.

import { nearest } from "../data/nearest.ts";
import { SaccadeError, wrong } from "../program/errors.ts";

/** Names of classes by the group's name; every class in exactly one group. */
export type ClassGroups = Readonly<Record<string, readonly string[]>>;

/** Solids of revolution, and those of flat faces. */
const solids: ClassGroups = {
  "round solids": ["sphere", "cone", "cylinder", "torus", "capsule"],
  "angular solids": ["cube", "octahedron", "pyramid", "star", "cross"],
};

/** By the dataset's name. */
export const knownGroups: Readonly<Record<string, ClassGroups>> = {
  "cifar-10": {
    animals: ["bird", "cat", "deer", "dog", "frog", "horse"],
    vehicles: ["airplane", "automobile", "ship", "truck"],
  },
  "stl-10": {
    animals: ["bird", "cat", "deer", "dog", "horse", "monkey"],
    vehicles: ["airplane", "car", "ship", "truck"],
  },
  "procedural-objects": solids,
  "procedural-movie": solids,
};

/** What a file holds, checked: names with lists of names. Class names that are numbers may stand there as such. */
export function parseGroups(raw: unknown, where: string): ClassGroups {
  const shape = "groups with lists of classes, like animals: [cat, dog]";
  if (typeof raw !== "object" || raw === null || Array.isArray(raw))
    throw wrong(where, "it", shape, Array.isArray(raw) ? "a list" : String(raw));
  return Object.fromEntries(
    Object.entries(raw).map(([group, members]: [string, unknown]) => {
      if (!Array.isArray(members) || members.length === 0) throw wrong(where, group, "a list of classes", members);
      return [group, members.map(String)];
    }),
  );
}

/** The group's number of every class, in the order of `groups`. `where` says whose groups they are. */
export function groupsOfClasses(groups: ClassGroups, classes: readonly string[], where: string): Int32Array {
  const names = Object.keys(groups);
  if (names.length < 2) throw wrong(where, "groups", "two or more", names.length);
  const groupOf = new Map<string, number>();
  for (const [number, [group, members]] of Object.entries(groups).entries())
    for (const member of members) {
      if (!classes.includes(member)) {
        const near = nearest(member, classes);
        const mend = near === undefined ? undefined : `did you mean ${near}?`;
        throw wrong(where, group, `of classes of the dataset: ${classes.join(", ")}`, member, mend);
      }
      const before = groupOf.get(member);
      if (before !== undefined) throw new SaccadeError(`${where}: ${member} is in ${names[before]} and in ${group}`);
      groupOf.set(member, number);
    }
  const missing = classes.filter((name) => !groupOf.has(name));
  if (missing.length > 0) throw new SaccadeError(`${where}: in no group: ${missing.join(", ")}; put each in one`);
  return Int32Array.from(classes, (name) => groupOf.get(name) ?? 0);
}
