/** An explanation of the router's as text: the answer, each decision with its targets, and what was sent. */
import type { Explanation } from '../../core/contracts/explanation.ts';
import { table } from './output.ts';

type Decision = Explanation['decisions'][number];
type Row = Decision['targets'][number];
type Attempt = Explanation['attempts'][number];

/** Milliseconds with three figures, whole from a hundred on; of the unknown a dash. */
function ms(value: number | null): string {
  if (value === null) return '-';
  return String(value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
}

/** @param seenMs from request to parsed answer, as the client measured it */
export function explanationText(explanation: Explanation, seenMs: number): string {
  const { decisions, attempts } = explanation;
  return [summary(explanation, seenMs), ...decisions.map(decisionText), attemptsText(attempts)].join('\n\n');
}

function summary(explanation: Explanation, seenMs: number): string {
  const { model, policy, bytes, deadlineMs, pin, target, reason, status, actualMs } = explanation;
  const who = target === null ? 'refused by the router' : `answered by ${target} (${reason})`;
  const asked = [`policy ${policy}`, `deadline ${ms(deadlineMs)} ms`, `${bytes} bytes`];
  if (pin !== null) asked.push(`pinned to ${pin}`);
  const times = `${ms(actualMs)} ms in the router, ${ms(seenMs)} ms seen from here`;
  return `${model}: ${who} with ${status} in ${times}\n${asked.join(', ')}`;
}

const HEADER = ['TARGET', 'HEALTH', 'IN FLIGHT', 'BUSY', 'COST'];
const PREDICTED = ['NETWORK', 'QUEUE', 'SERVICE', 'COLD', 'PREDICTED', 'P95', 'SCORE', 'VERDICT'];

function decisionText(decision: Decision): string {
  const { kind, atMs, leftMs, targets } = decision;
  const rows = targets.map((row) => [
    row.target,
    row.health,
    `${row.inFlight}/${row.lanes}`,
    `${Math.round(row.busy * 100)} %`,
    row.cost,
    ...(['network', 'queue', 'service', 'cold'] as const).map((part) => ms(row.parts?.[part] ?? null)),
    ms(row.predictedMs),
    ms(row.p95Ms),
    ms(row.score),
    verdict(decision, row),
  ]);
  const head = `${kind} decision at ${ms(atMs)} ms, ${ms(leftMs)} ms left: ${outcome(decision)}`;
  return `${head}\n${table([...HEADER, ...PREDICTED], rows)}`;
}

function outcome({ kind, target, reason, refused, shadow, outOfBudget }: Decision): string {
  if (target === null) {
    if (refused !== null) return `refused: ${refused}`;
    if (kind === 'cascade') return 'the larger model is not asked';
    if (kind !== 'hedge') return 'no target is left';
    return outOfBudget ? 'not sent, the budget for second attempts is spent' : 'not sent';
  }
  return `${target}, ${reason}${shadow === null ? '' : `; a copy to ${shadow}, to learn from`}`;
}

const TIMELINESS: Readonly<Record<Row['inTime'], string>> = {
  surely: '',
  usually: 'late on a bad day',
  late: 'late',
  unknown: 'nothing is known',
};

function verdict({ target, reason, shadow }: Decision, row: Row): string {
  if (row.excluded !== null) return `excluded: ${row.excluded}`;
  const words = [
    row.target === target ? `chosen: ${reason}` : '',
    row.target === shadow ? 'copy' : '',
    TIMELINESS[row.inTime],
  ];
  return words.filter((word) => word !== '').join(', ');
}

function attemptsText(attempts: readonly Attempt[]): string {
  const rows = attempts.map((attempt) => [
    attempt.target,
    attempt.reason,
    ms(attempt.atMs),
    ms(attempt.limitMs),
    ms(attempt.predictedMs),
    ms(attempt.actualMs),
    ms(attempt.serviceMs),
    attempt.cold === true ? `${attempt.result}, cold` : attempt.result,
  ]);
  const header = ['SENT TO', 'REASON', 'AT', 'LIMIT', 'PREDICTED', 'ACTUAL', 'IN TARGET', 'RESULT'];
  return `${table(header, rows)}\n\ntimes in milliseconds`;
}
