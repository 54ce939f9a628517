#!/usr/bin/env node
// The command line: arguments in, printing out. Each command's work is in its own file, loaded when it is called.

import { Command, CommanderError } from "commander";
import { SaccadeError } from "../program/errors.ts";
import { exitCodes } from "./exit-codes.ts";

const program = new Command("saccade")
  .description("Train deep networks the way a brain might: self-supervised, from pairs of views, by local rules.")
  .showHelpAfterError("(saccade --help shows the commands, saccade COMMAND --help the options)")
  .exitOverride();

/** Options that every command takes. */
function command(name: string, description: string, examples: readonly string[]): Command {
  return program
    .command(name)
    .description(description)
    .option("--json", "print one JSON object instead of text")
    .option("--seed <number>", "seed of weights, data order and augmentation (overrides the configuration)")
    .option("--threads <number>", "threads of the wasm device (default: all cores)")
    .option("--device <name>", "wasm (fast, CPU) or reference (float64, slow, the specification)", "wasm")
    .addHelpText("after", `\nExamples:\n${examples.map((example) => `  $ ${example}`).join("\n")}`)
    .exitOverride();
}

command("train", "Train an encoder; then measure its code if the configuration has a probe.", [
  "saccade train configs/quickstart.yaml",
  "saccade train configs/cifar-bp.yaml epochs=10 batch=100 adam.learningRate=1e-3 seed=1",
  "saccade train --resume runs/2026-11-24_10-00-00_quickstart_1a2b3c",
])
  .argument("[config]", "YAML file; configs/ has the paper's experiments")
  .argument("[overrides...]", "key=value, for example loss.negatives=5")
  .option("--runs <folder>", "where run folders are made", "runs")
  .option("--resume <run>", "go on with this run from its newest checkpoint, bit for bit")
  .option("--no-probe", "train only")
  .action(async (config, overrides, options) => {
    const { trainCommand } = await import("./commands/train.ts");
    process.exitCode = await trainCommand(config, overrides, options);
  });

command("probe", "Measure what a run's code is worth: three read-outs, beside the random encoder and the pixels.", [
  "saccade probe runs/2026-11-24_10-00-00_quickstart_1a2b3c",
  "saccade probe RUN labelsPerClass=[10,100] seeds=3 train.dataset=cifar-10 test.dataset=cifar-10",
])
  .argument("<run>", "run folder")
  .argument("[overrides...]", "key=value within the configuration's probe section")
  .action(async (run, overrides, options) => {
    const { probeCommand } = await import("./commands/probe.ts");
    process.exitCode = await probeCommand(run, overrides, options);
  });

command("explain", "List one training step: its stages with shapes, cost and memory.", [
  "saccade explain configs/quickstart.yaml",
  "saccade explain configs/cifar-bp.yaml batch=100 --json",
])
  .argument("<config>", "YAML file")
  .argument("[overrides...]", "key=value")
  .action(async (config, overrides, options) => {
    const { explainCommand } = await import("./commands/explain.ts");
    process.exitCode = await explainCommand(config, overrides, options);
  });

command("runs", "List the runs, or show one.", ["saccade runs list", "saccade runs show runs/NAME --json"])
  .argument("<what>", "list or show")
  .argument("[run]", "run folder, for show")
  .option("--runs <folder>", "where run folders are", "runs")
  .action(async (what, run, options) => {
    const { runsCommand } = await import("./commands/runs.ts");
    process.exitCode = await runsCommand(what, run, options);
  });

command("version", "Print versions: Saccade, commit, Node, device.", [
  "saccade version",
  "saccade version --json",
]).action(async (options) => {
  const { versionCommand } = await import("./commands/version.ts");
  process.exitCode = await versionCommand(options);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : exitCodes.usage;
  } else if (error instanceof SaccadeError) {
    process.stderr.write(`saccade: ${error.message}\n`);
    process.exitCode = exitCodes.refused;
  } else {
    process.stderr.write(`saccade: this should not have happened; please report it\n${(error as Error).stack}\n`);
    process.exitCode = exitCodes.bug;
  }
}
