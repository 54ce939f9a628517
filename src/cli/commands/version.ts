// saccade version: what is running, for a bug report.

import { environment } from "../../runs/environment.ts";
import { exitCodes } from "../exit-codes.ts";
import { type CommonOptions, openBackend } from "../options.ts";

export async function versionCommand(options: CommonOptions): Promise<number> {
  const described = environment(await openBackend(options));
  if (options.json) process.stdout.write(`${JSON.stringify(described)}\n`);
  else {
    const { saccade, commit, node, v8, platform, processor, cores, backend, backendDescription } = described;
    process.stdout.write(
      `saccade ${saccade}${commit ? ` (${commit})` : ""}\nnode ${node}, V8 ${v8}, ${platform}\n${processor}, ${cores} cores\n${backend}: ${backendDescription}\n`,
    );
  }
  return exitCodes.done;
}
