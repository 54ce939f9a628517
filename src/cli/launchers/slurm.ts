// Placeholder until the launcher is merged.
import type { Launcher } from "./launcher.ts";
export const launchSlurm: Launcher = async () => ({ failures: [] });
