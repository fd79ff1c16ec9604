/** Where a job stands by what people did to it, and doing more. */
import { JobControl } from '../contracts/control.ts';
import { jobControlKey } from '../contracts/keys.ts';
import type { Limits } from '../contracts/limits.ts';
import { getJson } from '../storage/json.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { append } from '../storage/sequence.ts';

export interface ControlState {
  /** Entries of the sequence that are in here. */
  readonly seq: number;
  readonly paused: boolean;
  /** Counts from 1; each redrive begins another, with a result of its own. */
  readonly run: number;
  /** Of the last redrive. */
  readonly redrivenAt?: string;
  readonly limits?: Limits;
}

export const UNTOUCHED: ControlState = { seq: 0, paused: false, run: 1 };

/** Pausing what is paused changes nothing, and so on: two people who do the same at once did it once. */
function applyControl(state: ControlState, control: JobControl): ControlState {
  const seq = state.seq + 1;
  switch (control.action) {
    case 'pause':
      return { ...state, seq, paused: true };
    case 'resume':
      return { ...state, seq, paused: false };
    case 'redrive': {
      const { deadlineSeconds, budget } = control;
      return {
        ...state,
        seq,
        paused: false,
        run: state.run + 1,
        redrivenAt: control.at,
        limits: {
          ...state.limits,
          ...(deadlineSeconds === undefined ? {} : { deadlineSeconds }),
          ...(budget === undefined ? {} : { budget }),
        },
      };
    }
  }
}

/** @param known an earlier state of the same job: entries are immutable, so only what is new is read */
export async function readControl(
  store: ObjectStore,
  job: string,
  known: ControlState = UNTOUCHED,
): Promise<ControlState> {
  let state = known;
  for (;;) {
    const next = await getJson(store, jobControlKey(job, state.seq + 1), JobControl);
    if (next === undefined) return state;
    state = applyControl(state, next);
  }
}

/** Appends behind `after`, whoever else does so at the same time. */
export async function writeControl(
  store: ObjectStore,
  control: JobControl,
  after: ControlState,
): Promise<void> {
  await append(
    store,
    (seq) => jobControlKey(control.job, seq),
    () => control,
    undefined,
    after.seq,
  );
}
