#!/usr/bin/env node
// The command line: arguments in, printing out. Each command's work is in its own file, loaded when it is called.

import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { SaccadeError } from "../program/errors.ts";
import { exitCodes } from "./exit-codes.ts";

/** A run is worth more than what is printed about it: where stdout is lost, these commands go on. */
const working = ["train", "probe"];
let lost = false;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // A reader that has seen enough, as in `saccade explain … | head`, is no error.
  if (error.code !== "EPIPE" && !lost) {
    lost = true;
    process.stderr.write(`saccade: standard output cannot be written: ${error.message}\n`);
  }
  if (!working.includes(process.argv[2])) process.exit(exitCodes.done);
});
process.on("exit", () => {
  if (lost && !process.exitCode) process.exitCode = exitCodes.refused;
});
// Of a terminal that has gone there is nobody to tell.
process.stderr.on("error", () => {});

const program = new Command("saccade")
  .description("Train deep networks the way a brain might: self-supervised, from pairs of views, by local rules.")
  .option("--version", "what saccade version prints")
  .enablePositionalOptions()
  .configureHelp({ subcommandTerm: (subcommand) => subcommand.name() })
  .helpCommand(false)
  .showHelpAfterError("(saccade --help shows the commands, saccade COMMAND --help the options)")
  .exitOverride();

const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!(text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most))
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    return value;
  };

type Shared = "seed" | "threads" | "device";

/** Every command takes these three, so that one line of options fits all; a command's help shows those that it uses. */
const shared: Readonly<Record<Shared, (text: string) => Option>> = {
  seed: (text) => new Option("--seed <number>", text).argParser(wholeNumber(0, 2 ** 32 - 1)),
  threads: (text) => new Option("--threads <number>", text).argParser(wholeNumber(1, 256)),
  device: (text) => new Option("--device <name>", text).choices(["wasm", "reference"]).default("wasm"),
};

const device = {
  threads: "threads of the wasm device (default: all cores)",
  device: "wasm is fast; reference is float64, slow, the specification",
};

function command(
  name: string,
  description: string,
  examples: readonly string[],
  used: Partial<Record<Shared, string>>,
): Command {
  const made = program
    .command(name)
    .description(description)
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", `\nExamples:\n${examples.map((example) => `  $ saccade ${example}`).join("\n")}`)
    .exitOverride();
  for (const [option, make] of Object.entries(shared) as [Shared, (text: string) => Option][])
    made.addOption(make(used[option] ?? "").hideHelp(used[option] === undefined));
  return made;
}

const train = command(
  "train",
  "Train an encoder, then measure its code.",
  [
    "train configs/quickstart.yaml",
    "train configs/cifar-bp.yaml epochs=10 adam.learningRate=1e-3",
    "train --resume runs/2026-11-24_10-00-00_quickstart_1a2b3c",
    "train configs/quickstart.yaml --resume auto",
    "train configs/cifar-bp.yaml --dry-run",
  ],
  { seed: "seed of weights, data order and views (default: the config's)", ...device },
)
  .argument("[config]", "YAML file; configs/ has the paper's experiments")
  .argument("[overrides...]", "key=value, for example loss.negatives=5")
  .option("--runs <folder>", "where run folders are made", "runs")
  .option(
    "--resume <run>",
    "go on with this run from its newest checkpoint, bit for bit; auto: with the newest unfinished run of this configuration, or a new one",
  )
  .option("--dry-run", "say what the run will take, in time, memory and disk; write nothing")
  .option("--no-probe", "train only, whatever the config's probe section says")
  .action(async (config, overrides, options) => {
    if (config === undefined && (options.resume === undefined || options.resume === "auto"))
      train.error("error: missing argument 'config', for example: saccade train configs/quickstart.yaml");
    const { trainCommand } = await import("./commands/train.ts");
    process.exitCode = await trainCommand(config, overrides, options);
  });

command(
  "probe",
  "Measure what a run's code is worth, in three read-outs.",
  [
    "probe runs/2026-11-24_10-00-00_quickstart_1a2b3c",
    "probe runs/2026-11-24_10-00-00_quickstart_1a2b3c seeds=3 epochs=100",
  ],
  device,
)
  .argument("<run>", "run folder")
  .argument("[overrides...]", "key=value within the config's probe section")
  .action(async (run, overrides, options) => {
    const { probeCommand } = await import("./commands/probe.ts");
    process.exitCode = await probeCommand(run, overrides, options);
  });

command(
  "explain",
  "List one training step: its stages with shapes, cost and memory.",
  ["explain configs/quickstart.yaml", "explain configs/cifar-bp.yaml batch=100 --json"],
  {},
)
  .argument("<config>", "YAML file")
  .argument("[overrides...]", "key=value")
  .action(async (config, overrides, options) => {
    const { explainCommand } = await import("./commands/explain.ts");
    process.exitCode = await explainCommand(config, overrides, options);
  });

command(
  "audit",
  "Say what a synapse has to know to learn: the paper's four conditions, layer by layer.",
  ["audit configs/cifar-bp-block.yaml", "audit configs/quickstart.yaml update=RF learning=RLL --out figures"],
  { seed: "seed of the weights, pictures and noise that confirm it (default: the config's)", ...device },
)
  .argument("<config>", "YAML file")
  .argument("[overrides...]", "key=value")
  .option("--out <folder>", "draw audit.svg and audit.png into this folder")
  .action(async (config, overrides, options) => {
    const { auditCommand } = await import("./commands/audit.ts");
    process.exitCode = await auditCommand(config, overrides, options);
  });

const runs = command(
  "runs",
  "List the runs, or show one.",
  ["runs list", "runs show runs/2026-11-24_10-00-00_quickstart_1a2b3c --json"],
  {},
)
  .addArgument(new Argument("<what>", "list or show").choices(["list", "show"]))
  .argument("[run]", "run folder, for show")
  .option("--runs <folder>", "where run folders are", "runs")
  .action(async (what, run, options) => {
    if (what === "show" && run === undefined)
      runs.error("error: missing argument 'run'; saccade runs list shows the runs");
    const { runsCommand } = await import("./commands/runs.ts");
    process.exitCode = await runsCommand(what === "show" ? run : undefined, options);
  });

command(
  "devices",
  "List what can compute here, the SIMD that was chosen, and its speed.",
  ["devices", "devices --json"],
  {},
).action(async (options) => {
  const { devicesCommand } = await import("./commands/devices.ts");
  process.exitCode = await devicesCommand(options);
});

command("version", "Print versions: Saccade, commit, Node, device.", ["version", "version --json"], device).action(
  async (options) => {
    const { versionCommand } = await import("./commands/version.ts");
    process.exitCode = await versionCommand(options);
  },
);

const [, , first, ...rest] = process.argv;
try {
  await program.parseAsync(first === "--version" ? ["version", ...rest] : process.argv.slice(2), { from: "user" });
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  } else if (error instanceof SaccadeError) {
    process.stderr.write(`saccade: ${error.message}\n`);
    process.exitCode = exitCodes.refused;
  } else {
    process.stderr.write(`saccade: this should not have happened; please report it\n${(error as Error).stack}\n`);
    process.exitCode = exitCodes.bug;
  }
}
