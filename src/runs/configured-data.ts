// What a configuration's datasets will be, known before their pictures are read, and the refusal of what no reading could mend.

import { requireSameClasses } from "../data/images.ts";
import { describeDataset, isOwn } from "../datasets/known-datasets.ts";
import type { DescribedDataset } from "../datasets/request.ts";
import { networkOf } from "../encoders/networks.ts";
import { SaccadeError, wrong } from "../program/errors.ts";
import type { Config, DataConfig } from "../training/config.ts";
import { configuredModel, configuredRule, type TrainingShape } from "../training/configured-rule.ts";

/** The dataset that a configuration trains on. `where` is the configuration's file, for what is refused. */
export async function describeData(config: Config, where: string): Promise<TrainingShape> {
  const described = await describe(config, config.data, where, "data");
  const shape = { ...described, classes: described.classes.length };
  const { loss } = configuredRule(config, configuredModel(config), shape);
  if (loss.labelled) requireClasses(where, "data", described);
  return shape;
}

/** Refuses what a probe cannot be measured with. A researcher's own datasets are looked at for it. */
export async function describeProbe(config: Config, where: string): Promise<void> {
  const { probe } = config;
  if (!probe) return;
  const sets = [
    await describe(config, probe.train, where, "probe.train"),
    await describe(config, probe.test, where, "probe.test"),
  ] as const;
  requireSameClasses(where, "probe.train and probe.test", sets);
  requireClasses(where, "probe.train and probe.test", sets[0]);
}

/** The same for who does not probe: as far as it is known without a file. */
export async function describeKnownProbe(config: Config, where: string): Promise<void> {
  const { train, test } = config.probe ?? {};
  if (![train, test].some((set) => set && isOwn(set.dataset))) await describeProbe(config, where);
}

async function describe({ encoder }: Config, set: DataConfig, where: string, key: string): Promise<DescribedDataset> {
  const { name, channels } = networkOf(encoder);
  const described = await describeDataset(set, where, `${key}.`);
  if (described.channels === channels) return described;
  const mend =
    channels === 1 ? `; set ${key}.grey=true` : "; take a network that reads as many: encoder=mnist reads 1, cifar 3";
  throw new SaccadeError(
    `${where}: ${key}.dataset ${set.dataset} has ${countChannels(described.channels)}, the ${name} network reads ${channels}${mend}`,
  );
}

function requireClasses(where: string, argument: string, { name, classes }: DescribedDataset): void {
  if (classes.length < 2)
    throw wrong(where, argument, "of at least 2 classes", `${name}, of ${classes.join(", ")} alone`);
}

const countChannels = (channels: number): string => (channels === 1 ? "1 channel" : `${channels} channels`);
