// saccade check: a plugin put through what Saccade's own rules go through, one line for each check; exit code 1 where one fails.

import { referenceBackend } from "../../backends/reference/backend.ts";
import { wasmBackend } from "../../backends/wasm/backend.ts";
import { type Check, checkPlugin } from "../../conformance/check-plugin.ts";
import { loadPlugins } from "../../runs/plugins.ts";
import { override } from "../../training/parse-config.ts";
import { whose } from "../../training/plugin.ts";
import { exitCodes } from "../exit-codes.ts";
import { type CommonOptions, parseValue } from "../options.ts";
import { wrap } from "../table.ts";
import { sayUnless } from "./train.ts";

export async function checkCommand(
  name: string,
  overrides: readonly string[],
  options: CommonOptions,
): Promise<number> {
  const [plugin] = await loadPlugins([name]);
  const set = {};
  for (const assignment of overrides) override(set, assignment, parseValue);
  const say = sayUnless(options.json);
  say(`${whose(plugin)}, SHA-256 ${plugin.source?.sha256.slice(0, 12)}…\n`);
  const report = await checkPlugin(
    plugin,
    { reference: referenceBackend, fast: (threads) => wasmBackend({ threads }) },
    { set, onCheck: (check) => say(lineOf(check)) },
  );
  if (options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
  const failed = report.checks.filter(({ outcome }) => outcome === "failed").length;
  say(failed === 0 ? "\nall passed" : `\n${failed} of ${report.checks.length} failed`);
  return report.passed ? exitCodes.done : exitCodes.refused;
}

const lineOf = ({ name, outcome, detail }: Check): string =>
  wrap(`${outcome.padEnd(9)} ${name.padEnd(20)} ${detail}`, 31);
