/** Where messages lie that could not be worked off, for people to look at. */
export interface DeadLetters {
  /**
   * Sets a message aside with what was wrong with it.
   * @param body as it came
   * @param traceparent as the message itself had, for whoever puts it back
   * @throws Fault `unavailable`
   */
  bury(body: string, reason: string, traceparent?: string): Promise<void>;
}

/** The other side: what a redrive takes out again. */
export interface Graveyard {
  /**
   * Takes out the messages of a job, whoever set them aside; the job's objects say what there is to do again.
   * @returns how many it took out
   */
  exhume(job: string): Promise<number>;
}
