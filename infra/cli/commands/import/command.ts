/** `causeway import`: a command per format, over core's one interface of sources. */
import { Command } from 'commander';
import { imagesCommand } from './images.ts';
import { csvCommand, jsonlCommand, parquetCommand } from './tables.ts';
import { idxCommand, numpyCommand, safetensorsCommand } from './tensors.ts';
import { textCommand } from './text.ts';

export function importCommand(): Command {
  return new Command('import')
    .description('import a dataset, of any size, as sharded safetensors')
    .addCommand(csvCommand())
    .addCommand(jsonlCommand())
    .addCommand(parquetCommand())
    .addCommand(numpyCommand())
    .addCommand(idxCommand())
    .addCommand(imagesCommand())
    .addCommand(textCommand())
    .addCommand(safetensorsCommand())
    .addHelpText(
      'after',
      `
Each format has its own help: causeway import csv --help

Files are read twice, row by row: first to see that all can be read, then to store them. A row that cannot
be read stops the import before anything is stored, with the first such rows and their lines; --skip-bad-rows
or --max-bad-rows N leave them out, counted and listed in the dataset's manifest.`,
    );
}
