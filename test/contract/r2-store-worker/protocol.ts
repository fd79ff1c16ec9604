/** An ObjectStore call over HTTP: the arguments in a header, the body in the body, and the same on the way back. */
import { Fault, type FaultCode } from '../../../core/errors.ts';
import type {
  ByteRange,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutOutcome,
} from '../../../core/storage/object-store.ts';

/** NaN and fractions must arrive as they are: JSON knows no NaN. */
interface WireRange {
  readonly start: string;
  readonly end: string;
}

type Call =
  | { readonly method: 'get'; readonly key: string; readonly range?: WireRange }
  | { readonly method: 'head' | 'delete'; readonly key: string }
  | { readonly method: 'put'; readonly key: string; readonly options: PutOptions }
  | { readonly method: 'list'; readonly key: string; readonly options: ListOptions };

const HEADER = 'x-call';
const encode = (value: unknown) => encodeURIComponent(JSON.stringify(value ?? null));
const decode = (text: string | null): unknown => JSON.parse(decodeURIComponent(text ?? 'null'));

const writeRange = ({ start, end }: ByteRange): WireRange => ({ start: String(start), end: String(end) });
const readRange = ({ start, end }: WireRange): ByteRange => ({ start: Number(start), end: Number(end) });

async function perform(store: ObjectStore, call: Call, body: Uint8Array<ArrayBuffer>): Promise<Response> {
  switch (call.method) {
    case 'get': {
      const object = await store.get(
        call.key,
        call.range === undefined ? {} : { range: readRange(call.range) },
      );
      if (object === undefined) return new Response(null, { headers: { [HEADER]: encode(undefined) } });
      const { body: bytes, ...info } = object;
      return new Response(bytes, { headers: { [HEADER]: encode(info) } });
    }
    case 'head':
      return new Response(null, { headers: { [HEADER]: encode(await store.head(call.key)) } });
    case 'put':
      return new Response(null, {
        headers: { [HEADER]: encode(await store.put(call.key, body, call.options)) },
      });
    case 'delete':
      await store.delete(call.key);
      return new Response(null, { headers: { [HEADER]: encode(undefined) } });
    case 'list':
      return new Response(encode(await store.list(call.key, call.options)));
  }
}

export async function serveStore(store: ObjectStore, request: Request): Promise<Response> {
  const body = new Uint8Array(await request.arrayBuffer());
  try {
    return await perform(store, decode(request.headers.get(HEADER)) as Call, body);
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    const { code, message, field } = thrown;
    return new Response(encode({ code, message, field }), { status: 500 });
  }
}

/** The store that a Worker serves at this URL. */
export function remoteStore(url: string): ObjectStore {
  async function send(call: object, body?: Uint8Array): Promise<Response> {
    const response = await fetch(url, {
      method: 'POST',
      headers: { [HEADER]: encode(call) },
      body: new Uint8Array(body ?? []),
    });
    if (response.ok) return response;
    const { code, message, field } = decode(await response.text()) as {
      code: FaultCode;
      message: string;
      field?: string;
    };
    throw new Fault(code, message, field === undefined ? {} : { field });
  }
  const readInfo = (response: Response) => {
    const info = decode(response.headers.get(HEADER)) as ObjectInfo | null;
    return info === null ? undefined : { ...info, modifiedAt: new Date(info.modifiedAt) };
  };
  return {
    async get(key, { range } = {}) {
      const asked = range === undefined ? {} : { range: writeRange(range) };
      const response = await send({ method: 'get', key, ...asked });
      const body = new Uint8Array(await response.arrayBuffer());
      const info = readInfo(response);
      return info === undefined ? undefined : { ...info, body };
    },
    head: async (key) => readInfo(await send({ method: 'head', key })),
    async put(key, body, options = {}) {
      const response = await send({ method: 'put', key, options }, body);
      return decode(response.headers.get(HEADER)) as PutOutcome;
    },
    async delete(key) {
      await send({ method: 'delete', key });
    },
    async list(prefix, options = {}) {
      const response = await send({ method: 'list', key: prefix, options });
      const page = decode(await response.text()) as ListPage;
      return {
        ...page,
        objects: page.objects.map((info) => ({ ...info, modifiedAt: new Date(info.modifiedAt) })),
      };
    },
  };
}
