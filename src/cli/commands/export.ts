// saccade export: a run's encoder as PyTorch's state_dict or as an ONNX model, or its embeddings of a dataset for NumPy.

import { plainlySeen } from "../../data/augmentation.ts";
import type { ImageSet } from "../../data/images.ts";
import { describeDataset } from "../../datasets/known-datasets.ts";
import { countParameters } from "../../encoders/encoder.ts";
import { createModel, synapsesOf } from "../../encoders/model.ts";
import { networkOf } from "../../encoders/networks.ts";
import type { FrozenEncoder } from "../../evaluation/features.ts";
import { encodeEmbeddings } from "../../exchange/embeddings.ts";
import { encodeOnnx, pixelFacts } from "../../exchange/onnx.ts";
import { encodeStateDict } from "../../exchange/state-dict.ts";
import { writeWhole } from "../../files/files.ts";
import { SaccadeError, wrong } from "../../program/errors.ts";
import { requireTensors } from "../../record/checkpoint-file.ts";
import { bestCheckpoint, latestCheckpoint, noCheckpoint } from "../../runs/checkpoints.ts";
import { imported } from "../../runs/resume.ts";
import { openRun } from "../../runs/run-folder.ts";
import type { Config } from "../../training/config.ts";
import { override, parseDataConfig } from "../../training/parse-config.ts";
import { exitCodes } from "../exit-codes.ts";
import { loadShown } from "../load.ts";
import { type CommonOptions, openBackend, parseValue } from "../options.ts";
import { showProgress } from "../progress.ts";
import { catchSignals } from "../signals.ts";

interface ExportOptions extends CommonOptions {
  readonly to: string;
  readonly best?: boolean;
}

export async function exportCommand(
  path: string,
  overrides: readonly string[],
  options: ExportOptions,
): Promise<number> {
  const [kind] = /\.(safetensors|onnx|npz)$/.exec(options.to) ?? [];
  if (kind === undefined) throw wrong("export", "--to", "a file that ends in .safetensors, .onnx or .npz", options.to);
  if (overrides.length > 0 && kind !== ".npz")
    throw wrong("export", overrides[0], `left out for ${kind}`, "it", "a dataset is for embeddings, in .npz");
  if (options.seed !== undefined) throw wrong("export", "--seed", "left out", options.seed, "a run keeps its seed");
  const { run, config } = openRun(path);
  const checkpoint = (options.best ? bestCheckpoint : latestCheckpoint)(run.checkpoints);
  if (!checkpoint) throw noCheckpoint(path);
  const network = networkOf(config.encoder);
  requireTensors(checkpoint, synapsesOf(createModel(network)));
  const { step } = checkpoint.position;
  const { valueRange, normalise } = config;
  const encoder = { network, weights: checkpoint.state, valueRange, normalise };
  const about = `Saccade run ${config.name}, step ${step}`;

  let what = `${network.name}, ${network.blocks.length} convolutions`;
  let images: object = {};
  if (kind === ".npz") {
    const set = await writeEmbeddings(path, config, encoder, overrides, options);
    if (typeof set === "number") return set;
    what = `${countParameters(network).features} features of ${set.count} images of ${set.name}`;
    images = { dataset: set.name, images: set.count };
  } else {
    const facts = { ...pixelFacts(encoder), about };
    const onnx = kind === ".onnx";
    await writeWhole(
      options.to,
      onnx ? encodeOnnx({ ...encoder, about }) : encodeStateDict(network, checkpoint, facts),
    );
  }
  if (options.json)
    process.stdout.write(
      `${JSON.stringify({ file: options.to, network: network.name, valueRange, ...(normalise ? { normalise } : {}), step, ...images })}\n`,
    );
  else process.stdout.write(`wrote ${options.to}: ${what}, step ${step} of ${path}\n`);
  return exitCodes.done;
}

/** Of the dataset that the run was trained on, unless told of another. A signal's exit code comes back where one ended it. */
async function writeEmbeddings(
  path: string,
  config: Config,
  encoder: FrozenEncoder,
  overrides: readonly string[],
  options: ExportOptions,
): Promise<ImageSet | number> {
  const another = overrides.some((assignment) => assignment.startsWith("dataset="));
  if (!another && config.data.dataset === imported)
    throw wrong(
      "export",
      "dataset",
      `given, as ${path} has imported weights and none of its own`,
      "nothing",
      "add it, for example dataset=cifar-10 split=test",
    );
  const given = another ? {} : structuredClone(config.data);
  for (const assignment of overrides) override(given, assignment, parseValue, ["data"]);
  const request = parseDataConfig(given, `export of ${path}`);
  await describeDataset(request, "export");
  const set = await loadShown(request);
  const seen = plainlySeen({ from: set, to: encoder.network });
  if (seen !== undefined) process.stderr.write(`warning: the encoder reads ${seen}\n`);
  const backend = await openBackend(options);
  const signals = catchSignals();
  let stopped: number | undefined;
  signals.handle((code) => {
    stopped = code;
  });
  const progress = showProgress("embedding", "images");
  const file = encodeEmbeddings(encoder, set, backend, (done) => {
    if (stopped !== undefined) throw new SaccadeError("export: stopped by a signal");
    progress.update(done, set.count, set.name);
  });
  try {
    await writeWhole(options.to, file);
    return set;
  } catch (error) {
    if (stopped === undefined) throw error;
    process.stderr.write("\nstopped the export; nothing was written\n");
    return stopped;
  } finally {
    progress.end();
    signals.end();
  }
}
