// Writes a report into a folder.
import { join } from "node:path";
import { writeWhole } from "../../training/files.ts";
import type { Report } from "../report.ts";
export async function writeReport(folder: string, report: Report): Promise<void> {
  await writeWhole(join(folder, "report.json"), JSON.stringify(report, null, 1));
}
