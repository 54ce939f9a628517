// A readable listing of a program: its stages with shapes, cost and memory. `saccade explain` prints it.

import { fuse } from "./fusion.ts";
import { lifetimes, planMemory } from "./plan.ts";
import { flopsOf, inputsOf, outputsOf, type Program, persistentTensors, updatesOf } from "./program.ts";
import { bytesOf, ownerOf, type Role, sizeOf, type Tensor } from "./tensor.ts";

export interface ExplainedStage {
  /** Operations of the stage, joined by " + ". */
  readonly operations: string;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Floating-point operations. */
  readonly flops: number;
  /** Bytes read and written, each stored operand once. */
  readonly bytes: number;
  /** Bytes of step tensors alive while it runs. */
  readonly live: number;
}

export interface Explanation {
  readonly program: string;
  readonly stages: readonly ExplainedStage[];
  readonly flops: number;
  /** Elements of the synapses that the program reads or changes. */
  readonly parameters: number;
  readonly persistentBytes: number;
  readonly stepBytes: number;
  /** Bytes per role of the persistent tensors. */
  readonly persistentByRole: Readonly<Partial<Record<Role, number>>>;
}

const describe = (tensor: Tensor): string =>
  `${tensor.name} [${tensor.shape.join(", ")}]${tensor.dtype === "f32" ? "" : ` ${tensor.dtype}`}`;

/** The stages of a program with their shapes, cost and memory. */
export function explain(program: Program): Explanation {
  const stages = fuse(program);
  const plan = planMemory([{ program, stages }]);
  const lives = lifetimes(program, stages);
  const explained = stages.map(({ operations, elided }, i): ExplainedStage => {
    const written = operations.flatMap((operation) => [...outputsOf(operation), ...updatesOf(operation)]);
    const writes = unique(written.filter((tensor) => !elided.has(tensor)));
    const reads = unique(
      operations.flatMap((operation) => inputsOf(operation)).filter((tensor) => !written.includes(tensor)),
    );
    return {
      operations: operations.map(({ kind }) => kind).join(" + "),
      reads: reads.map(describe),
      writes: writes.map(describe),
      flops: operations.reduce((sum, operation) => sum + flopsOf(operation), 0),
      bytes: operations.some(({ kind }) => kind === "makeViews" || kind === "gatherRows" || kind === "gatherLabels")
        ? gatheredBytes(reads, writes)
        : [...reads, ...writes].reduce((sum, tensor) => sum + bytesOf(tensor), 0),
      live: lives
        .filter(({ first, last }) => first <= i && i <= last)
        .reduce((sum, { tensor }) => sum + bytesOf(tensor), 0),
    };
  });
  const persistent = persistentTensors([program]);
  const persistentByRole: Partial<Record<Role, number>> = {};
  for (const tensor of persistent)
    persistentByRole[tensor.role] = (persistentByRole[tensor.role] ?? 0) + bytesOf(tensor);
  return {
    program: program.name,
    stages: explained,
    flops: explained.reduce((sum, { flops }) => sum + flops, 0),
    parameters: persistent
      .filter(({ role }) => role === "weight" || role === "feedback")
      .reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    persistentBytes: plan.persistentBytes,
    stepBytes: plan.stepBytes,
    persistentByRole,
  };
}

/** A gather reads the rows it picks, about as many bytes as it writes, not the whole table. */
const gatheredBytes = (reads: readonly Tensor[], writes: readonly Tensor[]): number =>
  [...reads.slice(1), ...writes, ...writes].reduce((sum, tensor) => sum + bytesOf(tensor), 0);

function unique(tensors: readonly Tensor[]): Tensor[] {
  const seen = new Set<string>();
  return tensors.filter((tensor) => {
    const key = `${ownerOf(tensor).name}/${tensor.name}`;
    return seen.has(key) ? false : seen.add(key);
  });
}

/** `1.20 G`, `87.0 M`, `512`: a count that a person reads at a glance; of something, `1.20 GFLOP`, `512 FLOP`. */
export function formatCount(value: number, of = ""): string {
  for (const [prefix, size] of [
    ["T", 1e12],
    ["G", 1e9],
    ["M", 1e6],
    ["k", 1e3],
  ] as const)
    if (value >= size) return `${(value / size).toPrecision(3)} ${prefix}${of}`;
  return `${Math.round(value)} ${of}`.trimEnd();
}

/** Bytes in binary units: `131 MiB`. */
export function formatBytes(bytes: number): string {
  for (const [unit, size] of [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const)
    if (bytes >= size) return `${(bytes / size).toPrecision(3)} ${unit}`;
  return `${bytes} B`;
}

/** The explanation as lines of text for a terminal. */
export function formatExplanation(explanation: Explanation): string {
  const lines = [
    `${explanation.program}: ${explanation.stages.length} stages, ${formatCount(explanation.flops, "FLOP")}, ` +
      `${formatCount(explanation.parameters)} parameters`,
    `memory: ${formatBytes(explanation.persistentBytes)} kept from step to step, ${formatBytes(explanation.stepBytes)} within one`,
    "",
  ];
  explanation.stages.forEach((stage, i) => {
    lines.push(
      `${String(i + 1).padStart(3)}  ${stage.operations}`,
      `     ${formatCount(stage.flops, "FLOP")}, ${formatBytes(stage.bytes)} moved, ${formatBytes(stage.live)} alive`,
      `     reads  ${stage.reads.join(", ")}`,
      `     writes ${stage.writes.join(", ")}`,
    );
  });
  return lines.join("\n");
}
