// An encoder as an ONNX model (opset 13): pictures [n, c, h, w] in, the output of every block and the features of the last out.

import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { type Activation, countParameters, type Encoder, pictures, poolingOf, stepName } from "../encoders/encoder.ts";
import { createModel, tensorsOf } from "../encoders/model.ts";
import { requireNumbers } from "../program/finite.ts";
import type { Shape } from "../program/tensor.ts";
import type { Normalise } from "../program/views.ts";
import { type Array32, toTorch } from "../training/torch-layout.ts";
import { networkFacts } from "./state-dict.ts";

export interface OnnxEncoder {
  readonly network: Encoder;
  /** Synapses by name, in the layout of the programs. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** What pixel values 0 and 255 were in training. */
  readonly valueRange: readonly [number, number];
  readonly normalise?: Normalise | undefined;
  /** Where it comes from. */
  readonly about: string;
}

/** Numbers of those fields of a message that are used here: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. */
const fields = {
  Model: { ir_version: 1, producer_name: 2, doc_string: 6, graph: 7, opset_import: 8, metadata_props: 14 },
  OperatorSetId: { domain: 1, version: 2 },
  StringStringEntry: { key: 1, value: 2 },
  Graph: { node: 1, name: 2, initializer: 5, input: 11, output: 12 },
  Node: { input: 1, output: 2, name: 3, op_type: 4, attribute: 5 },
  Attribute: { name: 1, ints: 8, type: 20 },
  Tensor: { dims: 1, data_type: 2, name: 8, raw_data: 9 },
  ValueInfo: { name: 1, type: 2, doc_string: 3 },
  Type: { tensor_type: 1 },
  TensorType: { elem_type: 1, shape: 2 },
  TensorShape: { dim: 1 },
  Dimension: { dim_value: 1, dim_param: 2 },
} as const;

/** TensorProto.FLOAT and AttributeProto.INTS. */
const [float, ints] = [1, 7];

/** Opset 13 came with IR version 7. */
const [irVersion, opset] = [7, 13];

/**
 * Inputs `pictures`, [n, c, h, w]; outputs `features`, [n, d] with channels first as in PyTorch's flatten, and one named after each block.
 */
export function encodeOnnx({ network, weights, valueRange, normalise, about }: OnnxEncoder): Uint8Array {
  const { encoder, blocks } = createModel(network);
  const { channels, height, width, head } = encoder;
  const shapes = pictures(encoder);
  const nodes: Uint8Array[] = [];
  const clips = encoder.blocks.some(({ after }) => after.includes("hardtanh"));
  const initializers = clips ? [scalar("low", -1), scalar("high", 1)] : [];
  const outputs: Uint8Array[] = [];

  /** Writes down an operation and returns the name of its result. */
  const node = (operation: string, input: readonly string[], output: string, attribute: readonly Uint8Array[] = []) => {
    nodes.push(message("Node", { input, output, name: output, op_type: operation, attribute }));
    return output;
  };
  const activate: Record<Activation, (x: string, y: string) => string> = {
    hardtanh: (x, y) => node("Clip", [x, "low", "high"], y),
    tanh: (x, y) => node("Tanh", [x], y),
    relu: (x, y) => node("Relu", [x], y),
    triangle: (x, y) => {
      const mean = node("ReduceMean", [x], `${y}.mean`, [integers("axes", [1])]);
      return node("Relu", [node("Sub", [x, mean], `${y}.above`)], y);
    },
  };
  const pool = (operation: string, x: string, size: number, y: string): string =>
    node(operation, [x], y, [integers("kernel_shape", [size, size]), integers("strides", [size, size])]);

  let value = "pictures";
  for (const [i, { name, kernel, stride, padding, after }] of encoder.blocks.entries()) {
    const synapses = tensorsOf(blocks[i]);
    for (const { name: of, shape } of synapses) {
      const data = weights.get(of);
      if (data === undefined) throw new Error(`onnx: no numbers for ${of}`);
      requireNumbers("onnx", of, data);
      initializers.push(tensor(of, toTorch({ shape, data })));
    }
    // The block's last step has the block's name, and one that comes twice its number.
    const named = (step: number, operation: string): string => (step === after.length ? name : `${name}.${operation}`);
    value = node("Conv", [value, ...synapses.map(({ name: of }) => of)], named(0, "convolution"), [
      integers("kernel_shape", [kernel, kernel]),
      integers("pads", [padding, padding, padding, padding]),
      integers("strides", [stride, stride]),
    ]);
    for (const [step, kind] of after.entries()) {
      const before = after.slice(0, step).filter((one) => stepName(one) === stepName(kind)).length;
      const y = named(step + 1, `${stepName(kind)}${before === 0 ? "" : before + 1}`);
      const pooling = poolingOf(kind);
      value = pooling
        ? pool(pooling.pool === "max" ? "MaxPool" : "AveragePool", value, pooling.size, y)
        : activate[kind as Activation](value, y);
    }
    const [h, w, c] = shapes[i + 1];
    outputs.push(valueInfo(name, [c, h, w]));
  }
  if (head.averagePool > 1) value = pool("AveragePool", value, head.averagePool, "pooled");
  node("Flatten", [value], "features");

  const [low, high] = valueRange;
  const colours = channels === 3 ? " in red, green, blue" : "";
  const then = normalise
    ? `, then less the mean [${normalise.mean.join(", ")}], over [${normalise.std.join(", ")}]`
    : "";
  const means = `pictures [n, ${channels}, ${height}, ${width}]${colours}; pixel value 0 is ${low}, 255 is ${high}${then}`;
  const flat = "the last block's output, flattened; channels first";
  const facts = { ...networkFacts(network), ...pixelFacts({ valueRange, normalise }) };
  return message("Model", {
    ir_version: irVersion,
    producer_name: "saccade",
    doc_string: `${about}; ${means}`,
    graph: message("Graph", {
      node: nodes,
      name: network.name,
      initializer: initializers,
      input: valueInfo("pictures", [channels, height, width], means),
      output: [valueInfo("features", [countParameters(encoder).features], flat), ...outputs],
    }),
    opset_import: message("OperatorSetId", { domain: "", version: opset }),
    metadata_props: Object.entries(facts).map(([key, text]) => message("StringStringEntry", { key, value: text })),
  });
}

const integers = (name: string, values: readonly number[]): Uint8Array =>
  message("Attribute", { name, ints: values, type: ints });

const tensor = (name: string, { shape, data }: Array32): Uint8Array =>
  message("Tensor", {
    dims: shape,
    data_type: float,
    name,
    raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  });

const scalar = (name: string, value: number): Uint8Array => tensor(name, { shape: [], data: Float32Array.of(value) });

/** An input or output [n, …shape]; n is free. */
function valueInfo(name: string, shape: Shape, doc = ""): Uint8Array {
  const known = shape.map((extent) => message("Dimension", { dim_value: extent }));
  const dim = [message("Dimension", { dim_param: "n" }), ...known];
  const type = message("TensorType", { elem_type: float, shape: message("TensorShape", { dim }) });
  return message("ValueInfo", { name, type: message("Type", { tensor_type: type }), doc_string: doc });
}

/** What pixel values become, as metadata of a file. */
export const pixelFacts = ({
  valueRange,
  normalise,
}: Pick<OnnxEncoder, "valueRange" | "normalise">): Readonly<Record<string, string>> => ({
  valueRange: JSON.stringify(valueRange),
  ...(normalise ? { normalise: JSON.stringify(normalise) } : {}),
});

type Field = string | number | Uint8Array;

/** A list is its field as often as it has members: ONNX's numbers are not packed. */
function message<M extends keyof typeof fields>(
  kind: M,
  values: { readonly [F in keyof (typeof fields)[M]]?: Field | readonly Field[] },
): Uint8Array {
  const writer = new BinaryWriter();
  for (const [name, value] of Object.entries(values) as [string, Field | readonly Field[]][]) {
    const number = (fields[kind] as Readonly<Record<string, number>>)[name];
    for (const field of Array.isArray(value) ? value : [value]) {
      if (typeof field === "number") writer.tag(number, WireType.Varint).int64(field);
      else if (typeof field === "string") writer.tag(number, WireType.LengthDelimited).string(field);
      else writer.tag(number, WireType.LengthDelimited).bytes(field);
    }
  }
  return writer.finish();
}
