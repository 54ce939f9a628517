// The X-ray of a rule: a lesson's step on a batch of its own in which nothing learns, with BP's changes beside the rule's.

import { type Activation, activationOf, hiddenName } from "../encoders/encoder.ts";
import type { LossMetric } from "../losses/loss.ts";
import { kinds } from "../program/operations.ts";
import { type Program, type Recorder, recordProgram } from "../program/program.ts";
import type { Tensor } from "../program/tensor.ts";
import { recordErrorPath } from "./error-path.ts";
import type { LessonSpan } from "./learning.ts";
import {
  batchInputs,
  type Lesson,
  type RecordedRule,
  type RuleInputs,
  type RuleOptions,
  recordSignal,
} from "./rule.ts";

/** One layer that learns: a block or a head. */
export interface LayerXray {
  readonly name: string;
  /** The block's number, from 1; a head has none. */
  readonly layer: number | undefined;
  /** W. */
  readonly weight: Tensor;
  /** What carries the error down in W's place, where something does. */
  readonly feedback: Tensor | undefined;
  /** ∂L/∂W as the rule has it, and as BP has it from the same loss and the same activity. */
  readonly change: Tensor;
  readonly exact: Tensor;
  readonly input: Tensor;
  readonly output: Tensor;
  /** The input, as the layer's inverse makes it from the output. */
  readonly rebuilt: Tensor | undefined;
  readonly activation: Activation | undefined;
}

export interface LessonXray extends LessonSpan {
  readonly program: Program;
  readonly loss: Tensor;
  readonly metrics: readonly LossMetric[];
  /** Bottom first. */
  readonly layers: readonly LayerXray[];
}

export interface RecordedXray {
  /** The dataset is the rule's; the batch is the X-ray's own. */
  readonly inputs: RuleInputs;
  /** One for every lesson of the rule. */
  readonly lessons: readonly LessonXray[];
}

/** `images` of the dataset are looked at; the programs share the rule's persistent tensors and write none of them. */
export function recordXray(options: RuleOptions, recorded: RecordedRule, images: number): RecordedXray {
  const probed = { ...options, batch: images };
  const inputs = { ...recorded.inputs, ...batchInputs(probed, "probe.") };
  return { inputs, lessons: recorded.lessons.map((lesson) => recordLesson(probed, inputs, lesson)) };
}

function recordLesson(options: RuleOptions, inputs: RuleInputs, { first, end, parts, program }: Lesson): LessonXray {
  const record = recordProgram(`X-ray of ${program.name}`);
  const { trace, lossTrace, signal } = recordSignal(record, options, inputs, parts);
  const changes = parts.update.record({ record, optimiser: undefined }, trace, signal);
  const exact = recordErrorPath(prefixed(record, "exact."), trace, signal, ({ weight }) => weight);
  const seen = parts.update.inspect?.(prefixed(record, "seen."), trace);

  const gradientOf = (weight: Tensor, among: typeof changes): Tensor => {
    const change = among.find((one) => one.weight === weight);
    if (change === undefined) throw new Error(`no change of ${weight.name}`);
    return change.gradient;
  };
  const { head } = trace;
  const headName = parts.learners.head?.name ?? "head";
  const learning = [
    ...trace.blocks.map(({ block, ...rest }, i) => ({
      ...rest,
      name: block.name,
      layer: first + i + 1,
      activation: activationOf(block),
    })),
    ...(head?.hidden ?? []).map((trace, i) => ({
      ...trace,
      name: hiddenName(headName, i),
      layer: undefined,
      activation: "relu" as const,
    })),
    ...(head ? [{ ...head, name: headName, layer: undefined, activation: undefined }] : []),
  ];
  const layers = learning.map(({ name, layer, synapses: { weight }, input, output, activation }) => ({
    name,
    layer,
    weight,
    feedback: seen?.feedback.get(weight),
    change: gradientOf(weight, changes),
    exact: gradientOf(weight, exact),
    input,
    output,
    rebuilt: seen?.rebuilt?.get(weight),
    activation,
  }));
  const { value: loss, metrics } = lossTrace;
  const results = layers.flatMap(({ feedback, change, exact: bp, input, output, rebuilt }) => [
    ...[change, bp, output],
    ...(feedback ? [feedback] : []),
    ...(rebuilt ? [rebuilt, input] : []),
  ]);
  return {
    first,
    end,
    program: record.finish([loss, ...metrics.map(({ tensor }) => tensor), ...results]),
    loss,
    metrics,
    layers,
  };
}

/** The same recorder, with `prefix` before the name of every tensor that it makes. */
function prefixed(record: Recorder, prefix: string): Recorder {
  type AnyCall = (operands: object, attributes: object, targets: Record<string, string | Tensor>) => object;
  const calls = kinds.map((kind): [string, AnyCall] => [
    kind,
    (operands, attributes, targets) =>
      (record[kind] as unknown as AnyCall)(
        operands,
        attributes,
        Object.fromEntries(
          Object.entries(targets).map(([output, target]) => [
            output,
            typeof target === "string" ? prefix + target : target,
          ]),
        ),
      ),
  ]);
  return {
    ...Object.fromEntries(calls),
    tensor: (name, shape, role) => record.tensor(prefix + name, shape, role),
    finish: record.finish,
  } as Recorder;
}
