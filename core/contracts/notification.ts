/**
 * What S3 sends a queue when an object was created (Amazon S3 User Guide, "Event message structure"), as far as it is
 * read here, and the test message it sends when the notification is set up.
 */
import { z } from 'zod';

export const ObjectsCreated = z.object({
  Records: z
    .array(
      z.object({
        eventSource: z.literal('aws:s3'),
        eventName: z.string(),
        s3: z.object({
          object: z.object({
            /** Form-encoded: spaces as plus signs. */
            key: z.string().min(1),
            /** Larger for the later of two events of one key; the same where one event is delivered twice. */
            sequencer: z.string().regex(/^[0-9A-F]+$/i),
          }),
        }),
      }),
    )
    .min(1),
});
export type ObjectsCreated = z.infer<typeof ObjectsCreated>;

const TestNotification = z.object({
  Service: z.literal('Amazon S3'),
  Event: z.literal('s3:TestEvent'),
});

export interface CreatedObject {
  readonly key: string;
  readonly sequencer: string;
}

/** @returns the objects that were created; undefined where the value is no such message */
export function createdObjects(value: unknown): readonly CreatedObject[] | undefined {
  if (TestNotification.safeParse(value).success) return [];
  const parsed = ObjectsCreated.safeParse(value);
  return parsed.data?.Records.filter(({ eventName }) => eventName.startsWith('ObjectCreated:')).map(
    ({ s3 }) => ({
      key: decodeURIComponent(s3.object.key.replaceAll('+', ' ')),
      sequencer: s3.object.sequencer,
    }),
  );
}

/** The message for one object, where nobody else announces it. */
export const objectCreated = ({ key, sequencer }: CreatedObject): ObjectsCreated => ({
  Records: [
    {
      eventSource: 'aws:s3',
      eventName: 'ObjectCreated:Put',
      s3: { object: { key: encodeURIComponent(key).replaceAll('%20', '+'), sequencer } },
    },
  ],
});
