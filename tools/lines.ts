// Prints the lines of code per folder: lines that hold something other than space and comment; for docs, lines of text.
import { globSync, readFileSync } from "node:fs";
import { dirname } from "node:path";

const comment = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
const count = (text: string): number => text.split("\n").filter((line) => line.trim() !== "").length;

let codeInAll = 0;
for (const [pattern, depth] of [
  ["src/**/*.ts", 2],
  ["web/**/*.{ts,html,css,wgsl}", 1],
  ["tests/**/*.ts", 1],
  ["bench/**/*.ts", 1],
  ["tools/**/*.{ts,mjs,py}", 1],
  ["docs/**/*.md", 1],
] as const) {
  const folders = new Map<string, { files: number; lines: number }>();
  for (const file of globSync(pattern).sort()) {
    const folder = dirname(file).split(/[\\/]/).slice(0, depth).join("/");
    const entry = folders.get(folder) ?? { files: 0, lines: 0 };
    const text = readFileSync(file, "utf8");
    entry.files++;
    entry.lines += count(pattern.startsWith("docs") ? text : text.replace(comment, ""));
    folders.set(folder, entry);
  }
  let sum = 0;
  for (const [folder, { files, lines }] of folders) {
    sum += lines;
    row(folder, files, lines);
  }
  if (folders.size > 1) row(`${pattern.split("/")[0]} in all`, 0, sum);
  if (!pattern.startsWith("docs")) codeInAll += sum;
}
row("code in all", 0, codeInAll);

function row(name: string, files: number, lines: number): void {
  console.log(`${name.padEnd(20)}${String(lines).padStart(7)} lines${files === 0 ? "" : `  in ${files} files`}`);
}
