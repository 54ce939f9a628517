// How Saccade and the paper are cited, from CITATION.cff.

import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { readText } from "../../files/files.ts";

export interface Citation {
  readonly software: string;
  readonly paper: string;
  /** Without https://doi.org/. */
  readonly doi: string;
  /** As SPDX calls it: MIT. */
  readonly licence: string;
}

interface CitationFile {
  readonly title: string;
  readonly version: string;
  readonly license: string;
  readonly authors: readonly { readonly name: string }[];
  readonly references: readonly {
    readonly title: string;
    readonly authors: readonly { readonly "family-names": string; readonly "given-names": string }[];
    readonly journal: string;
    readonly volume: number;
    readonly start: string;
    readonly year: number;
    readonly doi: string;
  }[];
}

export function citation(): Citation {
  const file = fileURLToPath(new URL("../../../CITATION.cff", import.meta.url));
  const { title, version, license, authors, references } = parse(readText(file)) as CitationFile;
  const [{ journal, volume, start, year, doi, ...paper }] = references;
  const names = paper.authors.map((author) => `${author["given-names"]} ${author["family-names"]}`);
  return {
    software: `${authors.map(({ name }) => name).join(", ")}. ${title}, version ${version}.`,
    paper: `${names.slice(0, -1).join(", ")} and ${names.at(-1)} (${year}). ${paper.title}. ${journal} ${volume}, ${start}.`,
    doi,
    licence: license,
  };
}
