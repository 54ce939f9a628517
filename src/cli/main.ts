#!/usr/bin/env node
// The command line: arguments in, printing out. Each command's work is in its own file, loaded when it is called.

import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { fromHome } from "../files/folders.ts";
import { SaccadeError } from "../program/errors.ts";
import { deviceNames } from "./device-names.ts";
import { exitCodes } from "./exit-codes.ts";
import { experimentNames, launcherNames, presetNames, scaleNames } from "./words.ts";

/** A run is worth more than what is printed about it: where stdout is lost, these commands go on. */
const working = ["train", "probe", "inspect", "robustness"];
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
  .option("--version", "print versions, like saccade version")
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

function positive(text: string): number {
  if (!(Number(text) > 0)) throw new InvalidArgumentError("It must be a number above 0.");
  return Number(text);
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError(`It must be a regular expression: ${(error as Error).message}.`);
  }
}

function numbers(text: string): number[] {
  const list = text.split(",").map((word) => (word.trim() === "" ? Number.NaN : Number(word)));
  if (list.some((value) => !Number.isFinite(value)))
    throw new InvalidArgumentError("It must be numbers separated by commas.");
  return list;
}

type Shared = "seed" | "threads" | "device" | "plugin";

/** Every command takes these four, so that one line of options fits all; a command's help shows those that it uses. */
const shared: Readonly<Record<Shared, (text: string) => Option>> = {
  seed: (text) => new Option("--seed <number>", text).argParser(wholeNumber(0, 2 ** 32 - 1)),
  threads: (text) => new Option("--threads <number>", text).argParser(wholeNumber(1, 256)),
  device: (text) => new Option("--device <name>", text).choices(deviceNames).default("wasm"),
  plugin: (text) =>
    new Option("--plugin <file>", text).argParser((file: string, before: readonly string[] = []) => [...before, file]),
};

const plugin = "file or package with a rule, loss or augmentation that the configuration uses; may be repeated";

const device = {
  threads: "threads of the wasm device (default: all cores)",
  device:
    "wasm runs everywhere; webgpu uses a GPU; auto times both and takes the faster; reference is slow, in float64",
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
  "Train an encoder, then evaluate its representation.",
  [
    "train configs/quickstart.yaml",
    "train configs/quickstart.yaml update=SSF",
    "train --resume runs/2026-11-24_10-00-00_quickstart_1a2b3c",
    "train configs/quickstart.yaml --resume auto",
    "train configs/cifar-bp.yaml --dry-run",
  ],
  { seed: "seed of weights, data order and views (default: the config's)", ...device, plugin },
)
  .argument("[config]", "YAML file; configs/ has the paper's experiments")
  .argument("[overrides...]", "key=value, for example loss.negatives=5")
  .option("--runs <folder>", "folder in which run folders are made", fromHome, "runs")
  .option(
    "--resume <run>",
    "resume this run from its newest checkpoint, bit for bit; auto: the newest unfinished run of this configuration, or a new one",
    fromHome,
  )
  .option("--dry-run", "print what the run will take in time, memory and disk; make no run")
  .option("--no-probe", "train only, whatever the config's probe section says")
  .action(async (config, overrides, options) => {
    if (config === undefined && (options.resume === undefined || options.resume === "auto"))
      train.error("error: missing argument 'config', for example: saccade train configs/quickstart.yaml");
    const { trainCommand } = await import("./commands/train.ts");
    process.exitCode = await trainCommand(config, overrides, options);
  });

command(
  "probe",
  "Evaluate a run's representation: two linear probes and k nearest neighbours.",
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
  "robustness",
  "Test runs on deformed pictures, with read-outs fitted on clean ones or a supervised network's own classifier.",
  [
    "robustness runs/mine --recipe affine recipe.flip=0.5 --single shift",
    "robustness runs/mine runs/2026-11-24_* --strengths 1 --single none",
  ],
  { seed: "seed of the deformations (default: 0)", ...device, plugin },
)
  .argument("<runs...>", "run folders; key=value in the first one's probe section, recipe.KEY=value in the recipe")
  .addOption(
    new Option("--recipe <name>", "combination of all deformations").choices(["cifar", "affine"]).default("cifar"),
  )
  .option(
    "--strengths <list>",
    "factors on the numbers that the recipe draws; 1 is the recipe itself",
    numbers,
    [0.5, 1, 1.5, 2],
  )
  .option(
    "--single <kinds>",
    "deformations one at a time, separated by commas: rotation, shift, scale, shear, hue, saturation; or all or none",
    (text) => (text === "all" || text === "none" ? text : text.split(",")),
    "all",
  )
  .option("--out <folder>", "folder for robustness.json and the figures (default: the first run)", fromHome)
  .action(async (words, options) => {
    const { robustnessCommand } = await import("./commands/robustness.ts");
    process.exitCode = await robustnessCommand(words, options);
  });

command(
  "inspect",
  "Analyse each layer of a run as a neuroscientist would: RSA, CKA, dimensionality, sparsity, tuning, receptive fields.",
  [
    "inspect runs/2026-11-24_10-00-00_quickstart_1a2b3c",
    "inspect runs/2026-11-24_10-00-00_quickstart_1a2b3c limit=200 --json",
  ],
  { seed: "seed of the noise pictures and of the halves behind the intervals (default: 0)", ...device },
)
  .argument("<run>", "run folder")
  .argument(
    "[dataset...]",
    "key=value as in a config's data section (default: the first 1,000 of the probe's test set)",
  )
  .option(
    "--responses <file>",
    "recorded responses to compare with: .npy or .npz, [pictures, neurons], row i for picture i",
    fromHome,
  )
  .action(async (run, dataset, options) => {
    const { inspectCommand } = await import("./commands/inspect.ts");
    process.exitCode = await inspectCommand(run, dataset, options);
  });

command(
  "compare",
  "Train configurations on the same pictures and evaluate them side by side.",
  [
    "compare configs/quickstart.yaml configs/plausible.yaml",
    "compare configs/quickstart.yaml configs/plausible.yaml --seeds 3",
  ],
  { ...device, plugin },
)
  .argument("<configs...>", "YAML files or run folders; key=value applies to all")
  .option("--runs <folder>", "folder in which run folders are made", fromHome, "runs")
  .option("--out <folder>", "folder for the picture and the numbers", fromHome, "figures")
  .option(
    "--seeds <number>",
    "how many seeds to train with, starting from the configuration's; the table has means",
    wholeNumber(1, 100),
  )
  .option("--fresh", "train anew instead of reusing finished runs on the same pictures")
  .action(async (words, options) => {
    const { compareCommand } = await import("./commands/compare.ts");
    process.exitCode = await compareCommand(words, options);
  });

command(
  "reproduce",
  "Reproduce the paper's tables and figures, with the published numbers beside ours, in one report.",
  [
    "reproduce all --scale smoke",
    "reproduce table1 --scale small --only block --seeds 3",
    "reproduce table1 --scale medium --list",
    "reproduce table3 --scale small --dry-run",
    'reproduce table1 --launcher slurm --slurm-options "--time=4:00:00"',
  ],
  { seed: "the first seed (default: 0)", ...device },
)
  .argument("<what...>", `all, ${experimentNames.join(", ")}`)
  .addOption(
    new Option("--scale <name>", "how much of the paper's training is done").choices(scaleNames).default("small"),
  )
  .addOption(
    new Option("--preset <name>", "whose learning rates and choices to use").choices(presetNames).default("ours"),
  )
  .option("--seeds <number>", "how many seeds to train with", wholeNumber(1, 100), 1)
  .option("--only <pattern>", "tasks whose names match this regular expression; --list shows the names", pattern)
  .option("--substitute", "replace a missing dataset by another one; the report says so")
  .option("--out <folder>", "folder for runs and results (default: reproduced/<scale>)", fromHome)
  .option("--report <folder>", "folder for the report (default: report/ in --out)", fromHome)
  .option("--records <folder>", "folder of results to reuse", fromHome, "records")
  .option(
    "--jobs <number>",
    "tasks that run at once (default: one for each core; under Slurm, as many as it allows)",
    wholeNumber(1, 256),
  )
  .addOption(
    new Option("--launcher <name>", "where tasks run: on this machine, or as jobs of Slurm")
      .choices(launcherNames)
      .default("local"),
  )
  .option("--slurm-options <words>", 'options for sbatch, for example "--partition=cpu --time=04:00:00"')
  .option("--list", "list the tasks and which are done; run nothing")
  .option("--dry-run", "print what it will take; run nothing")
  .option("--no-run", "make the report from the results that exist; run nothing")
  .action(async (what, options) => {
    const { reproduceCommand } = await import("./commands/reproduce.ts");
    process.exitCode = await reproduceCommand(what, options);
  });

command(
  "sweep",
  "Train a configuration with every combination of some values and several seeds, and evaluate each.",
  [
    "sweep configs/quickstart.yaml update=BP,URF,RF --seeds 2",
    "sweep configs/quickstart.yaml update=SSF,KP --seeds 3",
    "sweep sweeps/solids.yaml --list",
  ],
  { seed: "the first seed (default: 0)", ...device, plugin },
)
  .argument("<config>", "YAML file: a configuration, or a sweep of several rules (sweeps/ has some)")
  .argument("[overrides...]", "key=a,b,c: the values to try; key=value applies to all")
  .option("--seeds <number>", "how many seeds to train with", wholeNumber(1, 100), 1)
  .option(
    "--hold-out <number>",
    "test on this many last pictures of probe.train instead of the test set",
    wholeNumber(1, 1e9),
  )
  .option(
    "--teraflops <number>",
    "cost of every run in 10^12 floating-point operations; epochs follow from it",
    positive,
  )
  .option("--only <pattern>", "tasks whose names match this regular expression; --list shows the names", pattern)
  .option("--out <folder>", "folder for runs and results (default: swept/<name>)", fromHome)
  .option("--report <folder>", "folder for the report (default: report/ in --out)", fromHome)
  .option("--records <folder>", "folder of results to reuse", fromHome, "records")
  .option("--jobs <number>", "tasks that run at once (default: one for each core)", wholeNumber(1, 256))
  .addOption(
    new Option("--launcher <name>", "where tasks run: on this machine, or as jobs of Slurm")
      .choices(launcherNames)
      .default("local"),
  )
  .option("--list", "list the tasks and which are done; run nothing")
  .option("--dry-run", "print what it will take; run nothing")
  .option("--no-run", "make the report from the results that exist; run nothing")
  .action(async (config, overrides, options) => {
    const { sweepCommand } = await import("./commands/sweep.ts");
    process.exitCode = await sweepCommand(config, overrides, options);
  });

program
  .command("worker", { hidden: true })
  .description("Do tasks of a reproduction's folder; started by saccade reproduce.")
  .argument("<folder>")
  .argument("[keys...]")
  .addOption(shared.threads(""))
  .addOption(shared.device(""))
  .addOption(shared.plugin(""))
  .action(async (folder, keys, options) => {
    const { workerCommand } = await import("./commands/worker.ts");
    process.exitCode = await workerCommand(folder, keys, options);
  });

command(
  "tsne",
  "Draw every layer's representation by t-SNE, with numbers that say how far to trust the picture.",
  ["tsne runs/2026-11-24_10-00-00_quickstart_1a2b3c", "tsne runs/mine split=train --points 500 --perplexity 20"],
  { seed: "seed of the choice of pictures (default: the run's)", ...device },
)
  .argument("<run>", "run folder; figures/tsne.svg, tsne.png and tsne.json are written into it")
  .argument("[dataset...]", "key=value as in a config's data section (default: the probe's test set)")
  .option("--points <number>", "maximum number of pictures, chosen at random", wholeNumber(4, 20_000), 2000)
  .option("--perplexity <number>", "effective number of neighbours", wholeNumber(1, 5000), 30)
  .option("--groups <file>", "YAML file with groups of classes, such as animals: [cat, dog]", fromHome)
  .action(async (run, dataset, options) => {
    const { tsneCommand } = await import("./commands/tsne.ts");
    process.exitCode = await tsneCommand(run, dataset, options);
  });

command(
  "explain",
  "List one training step: its stages with shapes, cost and memory.",
  ["explain configs/quickstart.yaml", "explain configs/cifar-bp.yaml batch=100 --json"],
  { plugin },
)
  .argument("<config>", "YAML file")
  .argument("[overrides...]", "key=value")
  .action(async (config, overrides, options) => {
    const { explainCommand } = await import("./commands/explain.ts");
    process.exitCode = await explainCommand(config, overrides, options);
  });

command(
  "audit",
  "Report what each synapse must know to learn: the paper's four conditions, layer by layer.",
  ["audit configs/cifar-bp-block.yaml", "audit configs/quickstart.yaml update=RF learning=RLL --out figures"],
  { seed: "seed of the weights, pictures and noise for its confirmation (default: the config's)", ...device, plugin },
)
  .argument("<config>", "YAML file")
  .argument("[overrides...]", "key=value")
  .option("--out <folder>", "draw audit.svg and audit.png into this folder", fromHome)
  .action(async (config, overrides, options) => {
    const { auditCommand } = await import("./commands/audit.ts");
    process.exitCode = await auditCommand(config, overrides, options);
  });

command(
  "check",
  "Test a plugin as Saccade's own rules are tested: precision, threads, resume, its identity, its claims.",
  ["check ./my-rule.ts", "check ./my-rule.ts myRule.gain=2 optimiser.learningRate=1e-4"],
  {},
)
  .argument("<plugin>", "file or package")
  .argument("[overrides...]", "key=value in the small configuration used for the tests")
  .action(async (plugin, overrides, options) => {
    const { checkCommand } = await import("./commands/check.ts");
    process.exitCode = await checkCommand(plugin, overrides, options);
  });

command(
  "export",
  "Export a run's encoder to PyTorch or ONNX, or its embeddings to NumPy.",
  [
    "export runs/mine --to weights.safetensors",
    "export runs/mine --to encoder.onnx --best",
    "export runs/mine --to embeddings.npz split=test",
  ],
  device,
)
  .argument("<run>", "run folder")
  .argument("[dataset...]", "for embeddings: key=value as in a config's data section (default: the run's)")
  .requiredOption(
    "--to <file>",
    "output file; its extension decides the format: .safetensors, .onnx or .npz; an existing file is replaced",
    fromHome,
  )
  .option("--best", "use the best checkpoint, by training loss or by kNN (checkpointBest), instead of the newest")
  .action(async (run, dataset, options) => {
    const { exportCommand } = await import("./commands/export.ts");
    process.exitCode = await exportCommand(run, dataset, options);
  });

command(
  "import",
  "Make a run folder from an encoder trained in PyTorch, for saccade probe.",
  ["import theirs.safetensors --network cifar", "import theirs.safetensors --network cifar valueRange=[-1,1]"],
  {},
)
  .argument("<file>", "safetensors with the state_dict of the network")
  .argument("[overrides...]", "key=value, above all valueRange and normalise: the pixel values in training")
  .requiredOption(
    "--network <name>",
    "cifar, cifar-strided, vgg6, vgg6-grey, mnist, tiny, or a YAML file with an encoder",
  )
  .option("--prefix <text>", "prefix of the encoder's names, such as module.")
  .option(
    "--fold-batch-norm",
    "fold every BatchNorm into its convolution; it must follow the convolution directly, before the activation",
  )
  .option("--batch-norm-epsilon <number>", "what BatchNorm adds to the variance", positive, 1e-5)
  .option("--leave-out <names>", "first parts of the names of what comes after the last block: fc,bn", (text) =>
    text.split(","),
  )
  .option("--runs <folder>", "folder in which run folders are made", fromHome, "runs")
  .action(async (file, overrides, options) => {
    const { importCommand } = await import("./commands/import.ts");
    const { foldBatchNorm, batchNormEpsilon } = options;
    const epsilon = foldBatchNorm ? batchNormEpsilon : undefined;
    process.exitCode = await importCommand(file, overrides, { ...options, foldBatchNorm: epsilon });
  });
type RunsWhat = "list" | "show" | "compare" | "rm";
const runCounts: Readonly<Record<RunsWhat, { least: number; most: number }>> = {
  list: { least: 0, most: 0 },
  show: { least: 1, most: 1 },
  compare: { least: 2, most: Infinity },
  rm: { least: 1, most: Infinity },
};

const runs = command(
  "runs",
  "List the runs, show one, compare some, or remove them.",
  [
    "runs list",
    "runs show runs/2026-11-24_10-00-00_quickstart_1a2b3c --json",
    "runs compare runs/2026-11-24_* runs/2026-11-25_* --figure loss.png",
    "runs rm runs/2026-11-25_09-00-00_quickstart_4d5e6f --yes",
  ],
  {},
)
  .addArgument(new Argument("<what>", "what to do").choices(["list", "show", "compare", "rm"]))
  .argument("[runs...]", "run folders: one for show, two or more for compare, any number for rm")
  .option("--runs <folder>", "where run folders are, for list", fromHome, "runs")
  .option("--figure <file>", "for compare: draw the losses over each other, .svg or .png", fromHome)
  .option("--yes", "for rm: remove without asking")
  .action(async (what: RunsWhat, paths: string[], options) => {
    const { least, most } = runCounts[what];
    if (paths.length < least)
      runs.error(`error: missing argument 'run', ${what} takes ${least} or more; saccade runs list shows the runs`);
    if (paths.length > most)
      runs.error(`error: too many arguments, ${what} takes ${most === 0 ? "no run" : "one run"}`);
    if (options.figure !== undefined && what !== "compare") runs.error("error: option '--figure' is for compare");
    if (options.yes && what !== "rm") runs.error("error: option '--yes' is for rm");
    if (what === "compare") {
      const { compareRuns } = await import("./commands/compare-runs.ts");
      process.exitCode = await compareRuns(paths, options);
    } else if (what === "rm") {
      const { removeRuns } = await import("./commands/remove-runs.ts");
      process.exitCode = await removeRuns(paths, options);
    } else {
      const { runsCommand } = await import("./commands/runs.ts");
      process.exitCode = await runsCommand(paths[0], options);
    }
  });

command(
  "watch",
  "Follow a run that another process trains: progress, loss, evaluations, X-ray.",
  ["watch runs/2026-11-24_10-00-00_quickstart_1a2b3c", "watch --once --json"],
  {},
)
  .argument("[run]", "run folder (default: the newest of --runs)")
  .option("--runs <folder>", "where run folders are", fromHome, "runs")
  .option(
    "--once",
    "print the state of the run once; otherwise watch until the run ends (Ctrl-C ends only the watching)",
  )
  .action(async (run, options) => {
    const { watchCommand } = await import("./commands/watch.ts");
    process.exitCode = await watchCommand(run, options);
  });

const data = command(
  "data",
  "List datasets, fetch them, check their files, or look at their pictures.",
  [
    "data list",
    "data get cifar-10",
    "data get stl-10 --from /media/usb",
    "data check",
    "data show procedural-objects",
    "data show configs/cifar-bp.yaml --out figures",
  ],
  { seed: "seed of the views that show draws (default: the config's)", ...device, plugin },
)
  .addArgument(new Argument("<what>", "list, get, check or show").choices(["list", "get", "check", "show"]))
  .argument("[name]", "dataset; show also takes a config and draws its views")
  .argument("[overrides...]", "key=value, of a config")
  .option("--from <place>", "get: folder with the published files, or an address instead of the publishers'", fromHome)
  .option("--out <folder>", "show: folder for the pictures", fromHome, "figures")
  .addOption(
    new Option("--deform <recipe>", "show: also draw pictures deformed as in saccade robustness").choices([
      "cifar",
      "affine",
    ]),
  )
  .action(async (what, name, overrides, options) => {
    if (name === undefined && (what === "get" || what === "show"))
      data.error(`error: missing argument 'name', for example: saccade data ${what} cifar-10`);
    const { dataCommand } = await import("./commands/data.ts");
    process.exitCode = await dataCommand(what, name, overrides, options);
  });

command(
  "lab",
  "Watch a network learn in a page, which is served to this machine's browser.",
  ["lab", "lab runs/2026-11-24_10-00-00_lab_1a2b3c", "lab --port 0 --no-open"],
  {},
)
  .argument("[run]", "a run folder, which the page opens: training can go on there if the network is small enough")
  .option("--port <number>", "port on 127.0.0.1; 0: any free port", wholeNumber(0, 65_535), 8421)
  .option("--no-open", "do not open a browser")
  .action(async (run, options) => {
    const { labCommand } = await import("./commands/lab.ts");
    process.exitCode = await labCommand(run, options);
  });

command(
  "devices",
  "List the devices of this machine, the SIMD version in use, and their speed.",
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
/** As package.json has it; what the commands import is not there in an older one. */
const oldest = [22, 18] as const;
const [major, minor] = process.versions.node.split(".").map(Number);
try {
  if (major < oldest[0] || (major === oldest[0] && minor < oldest[1]))
    throw new SaccadeError(
      `Saccade needs Node ${oldest.join(".")} or newer, and this is ${process.versions.node}; a clone brings its own, which npx saccade takes there`,
    );
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
