// A plan: the tasks of some experiments, each once, however many of them ask for it, and what each must wait for.

import { wrong } from "../program/errors.ts";
import { keyOf, neededRun, type Results, type Task } from "./task.ts";

export interface Planned {
  readonly key: string;
  /** What a person calls it: "table1: hinge, GLL, URF, seed 0". */
  readonly title: string;
  readonly task: Task;
  /** The key of the run that must be done before. */
  readonly needs?: string | undefined;
}

/** A result that will be there: what an experiment's report is made of. */
export interface Promised<Kind extends Task["kind"]> {
  readonly key: string;
  readonly kind: Kind;
}

/** Reads a result; undefined where there is none. */
export type Read = <Kind extends Task["kind"]>(promised: Promised<Kind>) => Results[Kind] | undefined;

export interface Plan {
  /** In the order in which they were asked for, a run always before what is measured of it. */
  readonly tasks: () => readonly Planned[];
  /** Asks for a task; the same one twice is one. */
  readonly add: <Kind extends Task["kind"]>(
    title: string,
    task: Extract<Task, { readonly kind: Kind }>,
  ) => Promised<Kind>;
}

export function createPlan(): Plan {
  const tasks = new Map<string, Planned>();
  const add = (title: string, task: Task): string => {
    const key = keyOf(task);
    const needs = neededRun(task);
    if (needs !== undefined && !tasks.has(needs)) add(`${title}: training`, { kind: "train", of: task.of });
    if (!tasks.has(key)) tasks.set(key, { key, title, task, ...(needs === undefined ? {} : { needs }) });
    return key;
  };
  return {
    tasks: () => [...tasks.values()],
    add: (title, task) => ({ key: add(title, task as Task), kind: task.kind as never }),
  };
}

/**
 * What of a plan is still to be done: tasks whose titles match and that have no result, and the runs that these need, where neither result nor
 * encoder is there. A run's encoder may be gone while its numbers are known; it is trained again only for who asks for it.
 */
export function missing(
  tasks: readonly Planned[],
  {
    only,
    hasResult,
    hasEncoder,
  }: {
    readonly only: RegExp | undefined;
    readonly hasResult: (key: string) => boolean;
    readonly hasEncoder: (run: string) => boolean;
  },
): Planned[] {
  const wanted = tasks.filter(({ key, title }) => (only?.test(title) ?? true) && !hasResult(key));
  const needed = new Set(wanted.flatMap(({ needs }) => (needs === undefined || hasEncoder(needs) ? [] : [needs])));
  const todo = tasks.filter((planned) => needed.has(planned.key) || wanted.includes(planned));
  if (only && todo.length === 0 && !tasks.some(({ title }) => only.test(title)))
    throw wrong("reproduce", "--only", "a pattern that matches a task", only.source, "--list shows their names");
  return todo;
}
