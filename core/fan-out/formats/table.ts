/** Every format of output, by name. */
import type { OutputFormat } from '../../contracts/fan-out.ts';
import { csv } from './csv.ts';
import type { Format } from './format.ts';
import { jsonl } from './jsonl.ts';
import { safetensors } from './safetensors.ts';

export const FORMATS: Readonly<Record<OutputFormat, Format>> = { safetensors, jsonl, csv };
