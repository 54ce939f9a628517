// What a configuration's datasets will be, known without reading them, and the refusal of what no reading could mend.

import { requireSameClasses } from "../data/images.ts";
import { type DescribedDataset, describeDataset } from "../data/known-datasets.ts";
import { networks } from "../encoders/networks.ts";
import { SaccadeError } from "../program/errors.ts";
import type { Config, DataConfig } from "./config.ts";
import { configuredModel, configuredRule, type TrainingShape } from "./configured-rule.ts";

/** The dataset that a configuration trains on. `where` is the configuration's file, for what is refused. */
export function describeData(config: Config, where: string): TrainingShape {
  const { data, probe, encoder } = config;
  const { channels } = networks[encoder];
  const describe = (set: DataConfig, key: string): DescribedDataset => {
    const described = describeDataset(set, where, `${key}.`);
    if (described.channels === channels) return described;
    const mend = channels === 1 ? `; set ${key}.grey=true` : "";
    throw new SaccadeError(
      `${where}: ${key}.dataset ${set.dataset} has ${countChannels(described.channels)}, the ${encoder} network reads ${channels}${mend}`,
    );
  };
  const described = describe(data, "data");
  const shape = { ...described, classes: described.classes.length };
  configuredRule(config, configuredModel(config), shape);
  if (probe) {
    const sets = [describe(probe.train, "probe.train"), describe(probe.test, "probe.test")] as const;
    requireSameClasses(where, "probe.train and probe.test", sets);
  }
  return shape;
}

const countChannels = (channels: number): string => (channels === 1 ? "1 channel" : `${channels} channels`);
