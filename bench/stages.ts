// A training step cut into its fused stages, each a program of its own, so that each can be run and timed alone.

import { explain } from "../src/program/explain.ts";
import { fuse, type Stage } from "../src/program/fusion.ts";
import type { Kind } from "../src/program/operations.ts";
import { type AnyOperation, inputsOf, outputsOf, type Program, updatesOf } from "../src/program/program.ts";
import { ownerOf, type Tensor } from "../src/program/tensor.ts";

export interface StageProgram {
  /** "conv2 forward", "conv2 backward", "head linear", "distances l1Distance". */
  readonly label: string;
  readonly direction: "forward" | "backward" | "other";
  readonly cost: { readonly flops: number; readonly bytes: number };
  readonly program: Program;
}

/**
 * The stages in their order. What one stage leaves for another becomes persistent, so run one after another they are the step, and
 * after that each may be run again on its own.
 */
export function cutStages(program: Program): StageProgram[] {
  const stages = fuse(program);
  const costs = explain(program).stages;
  const persistent = persistentStandIns(stages);
  return stages.map((stage, i) => {
    const operations = stage.operations.map((operation) => replaceTensors(operation, persistent));
    const owners = new Set(operations.flatMap(outputsOf).map(ownerOf));
    const results = [...owners].filter((owner) => owner.lifetime === "step" && !stage.elided.has(owner));
    const alone: Program = { name: `${program.name}, stage ${i + 1}`, operations, results };
    const fused = fuse(alone).length;
    if (fused !== 1) throw new Error(`${alone.name} falls into ${fused} stages when it stands alone`);
    return { ...labelOf(stage), cost: costs[i], program: alone };
  });
}

/** Every step tensor that a stage leaves for another → a persistent one of its shape; windows on it follow. */
function persistentStandIns(stages: readonly Stage[]): (tensor: Tensor) => Tensor {
  const writers = new Map<Tensor, Stage>();
  const replaced = new Map<Tensor, Tensor>();
  for (const stage of stages) {
    for (const owner of stage.operations.flatMap(inputsOf).map(ownerOf)) {
      const writer = writers.get(owner);
      if (writer !== undefined && writer !== stage && !replaced.has(owner))
        replaced.set(owner, { ...owner, lifetime: "run" });
    }
    for (const owner of stage.operations.flatMap(outputsOf).map(ownerOf)) writers.set(owner, stage);
  }
  return (tensor) => {
    const known = replaced.get(tensor);
    if (known !== undefined || tensor.window === undefined) return known ?? tensor;
    const owner = replaced.get(tensor.window.of);
    if (owner === undefined) return tensor;
    // One object for one window: fusion tells tensors apart by identity.
    const moved: Tensor = { ...tensor, lifetime: "run", window: { ...tensor.window, of: owner } };
    replaced.set(tensor, moved);
    return moved;
  };
}

export function replaceTensors(operation: AnyOperation, replace: (tensor: Tensor) => Tensor): AnyOperation {
  const all = (tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(tensors).map(([argument, tensor]) => [argument, replace(tensor)]));
  const { inputs, outputs, updates } = operation;
  return { ...operation, inputs: all(inputs), outputs: all(outputs), updates: all(updates) } as AnyOperation;
}

function labelOf(stage: Stage): Pick<StageProgram, "label" | "direction"> {
  const layer = (tensor: Tensor | undefined): string | undefined => tensor?.name.split(".")[0];
  switch (stage.kind) {
    case "convolution":
      return { label: `${layer(stage.convolution.inputs.w)} forward`, direction: "forward" };
    case "convolutionBackward":
      return { label: `${layer(stage.weight?.outputs.dw ?? stage.input?.inputs.w)} backward`, direction: "backward" };
    case "linearUpdate":
      return { label: `${layer(stage.optimiser.updates.weight)} update`, direction: "backward" };
    case "gathered":
    case "single": {
      const operation = stage.kind === "gathered" ? stage.product : stage.operation;
      const [written] = [...outputsOf(operation), ...updatesOf(operation)];
      return { label: `${layer(ownerOf(written))} ${operation.kind}`, direction: directionOf(operation.kind) };
    }
    default:
      return stage satisfies never;
  }
}

function directionOf(kind: Kind): StageProgram["direction"] {
  if (!/^(conv2d|linear|addBias|bias|activation|maxPool|averagePool)/.test(kind)) return "other";
  return kind.endsWith("Gradient") ? "backward" : "forward";
}
