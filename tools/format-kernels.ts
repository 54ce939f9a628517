// Formats the AssemblyScript kernels, or with --check says which are not formatted. Biome formats them well, but `biome check` refuses
// a decorator on a function (`@inline`), which AssemblyScript has and TypeScript has not; through stdin it lets it pass.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";

const biome = "node_modules/@biomejs/biome/bin/biome";
const check = process.argv.includes("--check");

for (const file of existsSync("src/backends/wasm/kernels") ? globSync("src/backends/wasm/kernels/**/*.ts") : []) {
  const source = readFileSync(file, "utf8");
  // A name outside the kernels' folder, which biome.json leaves out.
  const args = [biome, "format", "--format-with-errors=true", "--stdin-file-path=kernel.ts"];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { input: source, encoding: "utf8" });
  if (status !== 0) throw new Error(`biome could not format ${file}: ${stderr}`);
  if (stdout === source) continue;
  if (check) {
    console.error(`${file} is not formatted: run npm run format`);
    process.exitCode = 1;
  } else writeFileSync(file, stdout);
}
