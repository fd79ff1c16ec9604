/** Images in folders, whose names are the classes. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { imageSource } from '../../../../core/datasets/sources/images.ts';
import { imageDecoder } from '../../datasets/decode-image.ts';
import { imageFiles } from '../../datasets/image-folder.ts';
import { type CommonOptions, type DrawOptions, formatCommand, runImport, withDraw } from './common.ts';

interface ImagesOptions extends CommonOptions, DrawOptions {
  readonly folder: string;
  readonly testFolder?: string;
  readonly size?: { readonly height: number; readonly width: number };
  readonly grey?: boolean;
}

export function imagesCommand(): Command {
  return withDraw(formatCommand('images', 'PNG and JPEG files in folders: a folder is a class'))
    .requiredOption('--folder <dir>', 'the folder that has a folder per class')
    .option('--test-folder <dir>', 'such a folder that is held out; else images are drawn')
    .addOption(
      new Option('--size <height>x<width>', 'resize to it (default: all must be as the first)').argParser(
        sizeOf,
      ),
    )
    .option('--grey', 'one channel instead of three')
    .action(async (name: string, options: ImagesOptions) => {
      await runImport(
        name,
        async () => {
          const files = await imageFiles(options.folder, options.testFolder);
          return imageSource(files, {
            channels: options.grey === true ? 1 : 3,
            ...(options.size === undefined ? {} : { size: options.size }),
            seed: options.seed,
            decode: imageDecoder(),
          });
        },
        options,
      );
    });
}

function sizeOf(text: string): { height: number; width: number } {
  const [, height, width] = /^(\d{1,4})x(\d{1,4})$/u.exec(text) ?? [];
  if (!(Number(height) > 0 && Number(width) > 0))
    throw new InvalidArgumentError('It must be height and width in pixels: 224x224.');
  return { height: Number(height), width: Number(width) };
}
