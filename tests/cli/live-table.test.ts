// What reproduce and sweep say of their tasks where no terminal is: a line for each that ends, and every half minute how far the others are.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { showTasks } from "../../src/cli/live-table.ts";
import type { Planned } from "../../src/experiments/plan.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

const task = (key: string) => ({ key, title: `task ${key}` }) as Planned;

test("a task that runs long is told of before it ends, one that ends once, and one that another process holds as not done", () => {
  const told: string[] = [];
  const stream = { isTTY: false, write: (text: string) => told.push(text) } as unknown as NodeJS.WriteStream;
  const table = showTasks(3, stream);
  table.start(task("a"));
  table.start(task("b"));
  vi.advanceTimersByTime(29_000);
  table.progress(task("a"), 0.25);
  expect(told).toEqual([]);
  vi.advanceTimersByTime(1_000);
  table.progress(task("a"), 0.5);
  expect(told.splice(0)).toEqual(["   50 %  task a, 30 s left\n    0 %  task b\n"]);
  table.progress(task("a"), 0.75);
  table.end(task("b"), "is in use by process 7");
  vi.advanceTimersByTime(1_000);
  table.end(task("a"), undefined);
  // It was there already.
  table.end(task("c"), undefined);
  table.close();
  expect(told).toEqual(["1 of 3: task b: not done\n", "2 of 3: task a: 31 s\n"]);
});
